#pragma once

namespace mooncake {

/// A class without anything to choose is a template where its insides may be compiled apart, once for a whole program
/// (`compiled.hpp`): its interface says all that its users need, and `extern template` means just that.
template <class Void = void>
class BasicRuntime;
using Runtime = BasicRuntime<>;

} // namespace mooncake
