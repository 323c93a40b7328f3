#include <mooncake/mooncake.hpp>

#include <string>

std::string text_of(mooncake::Runtime& runtime, mooncake::EmbeddedStore<>& store, const char* key) {
    const auto view = runtime.run(store.view(key));
    return view ? std::string(view->text()) : view.error().message();
}
