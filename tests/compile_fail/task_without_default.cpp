// A task gives what Asio can make empty; a type without a default constructor is refused where the task is named.
// expect: is_default_constructible_v
#include <mooncake/core/task.hpp>

struct NoDefault {
    explicit NoDefault(int) {}
};

mooncake::Task<NoDefault> make();
