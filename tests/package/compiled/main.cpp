// Links what was compiled before, beside a unit that does without.
#include <mooncake/compiled.hpp>

#include <cstdlib>
#include <string>

/// In a unit that was compiled from the headers alone.
std::string text_of(mooncake::Runtime& runtime, mooncake::EmbeddedStore<>& store, const char* key);

int main() {
    mooncake::Runtime runtime;
    mooncake::EmbeddedStore<> store{runtime};
    if (!runtime.run(store.put("greeting", mooncake::bytes_of("hello, bytes")))) return EXIT_FAILURE;
    return text_of(runtime, store, "greeting") == "hello, bytes" ? EXIT_SUCCESS : EXIT_FAILURE;
}
