#pragma once

/// How a `Client` keeps to the keys of its tenant, and what it asks about tenants.

#include <mooncake/store/client/client.hpp>
#include <mooncake/store/tenant_key.hpp>

#include <string>
#include <utility>
#include <vector>

namespace mooncake::store::detail {

template <class Traits>
Task<std::vector<ListedObject>> Client<Traits>::list(List message, Deadline deadline) {
    const auto pass = gate_.enter();
    if (!pass) co_return store_closed();
    auto reply = co_await master_->call(message, deadline);
    if (!reply) co_return reply.error();
    for (auto& object : reply->objects)
        if (is_marked(object.key)) object.key = std::string(split_key(object.key).key);
    co_return std::move(reply->objects);
}

template <class Traits>
Task<EventsReply> Client<Traits>::events(Events message, Deadline deadline) {
    const auto pass = gate_.enter();
    if (!pass) co_return store_closed();
    auto reply = co_await master_->call(message, deadline);
    if (!reply || tenant_.empty()) co_return reply;
    std::erase_if(reply->events, [this](const ObjectEvent& event) { return split_key(event.key).tenant != tenant_; });
    for (auto& event : reply->events) event.key = std::string(split_key(event.key).key);
    co_return reply;
}

template <class Traits>
Task<void> Client<Traits>::set_quota(SetQuota message, Deadline deadline) {
    const auto pass = gate_.enter();
    if (!pass) co_return store_closed();
    const auto done = co_await master_->call(message, deadline);
    if (!done) co_return done.error();
    co_return ok;
}

template <class Traits>
Task<std::vector<TenantInfo>> Client<Traits>::tenants(Deadline deadline) {
    const auto pass = gate_.enter();
    if (!pass) co_return store_closed();
    const auto message = Tenants();
    auto reply = co_await master_->call(message, deadline);
    if (!reply) co_return reply.error();
    co_return std::move(reply->tenants);
}

} // namespace mooncake::store::detail
