#pragma once

/// How a `Client` pins.

#include <mooncake/store/client/client.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

inline PinObjects pin_of(const PinOptions& options) {
    auto message = PinObjects{.pin = options.pin};
    if (options.pin == Pin::soft) message.pin_ms = pin_milliseconds(options.time);
    return message;
}

template <class Traits>
Task<std::vector<Errc>> Client<Traits>::pin_batch(Keys keys, PinObjects message, Deadline deadline) {
    return outcomes_of(std::move(keys), std::move(message), LookUp::each, deadline);
}

template <class Traits>
Task<void> Client<Traits>::pin(std::string key, PinObjects message, Deadline deadline) {
    const auto pass = gate_.enter();
    if (!pass) co_return store_closed();
    message.keys = one(key);
    const auto reply = co_await master_->call(message, deadline);
    if (!reply) co_return reply.error();
    if (reply->outcomes.size() != 1) co_return wrong_count();
    const auto outcome = reply->outcomes.front();
    if (outcome == Errc::quota) co_return sentence(outcome, Error(outcome, reply->quota), key);
    if (outcome != Errc::ok) co_return sentence(outcome, {}, key);
    co_return ok;
}

} // namespace mooncake::store::detail
