#pragma once

#include <mooncake/core/hash.hpp>
#include <mooncake/core/in_quotes.hpp>
#include <mooncake/core/result.hpp>
#include <mooncake/serving/index/index_feed.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace mooncake {

struct IndexServiceConfig {
    std::uint64_t seed = 0;                 ///< of the block hashes
    std::size_t groups = 64;                ///< of model, adapter, block size, tenant and salt together
    std::size_t publishers = 4'096;         ///< in a group
    std::size_t blocks_at_once = 16'384;    ///< in one query or event
    std::uint64_t most_blocks = 50'000'000; ///< that are held; an event beyond is refused
};

/// What a server says: a status of HTTP, and JSON.
struct IndexAnswer {
    unsigned status = 200;
    std::string body{};
};

/// A prefix index for cache-aware routers, in the form of Mooncake's RFC #1403: who holds how much of a prompt, in tokens, by
/// medium and data-parallel rank. No I/O: whoever serves it gives it requests and sends its answers.
///
/// | request | body | answer |
/// |---|---|---|
/// | `POST /register` | `modelname`, `instance_id`, `block_size`, `dp_rank`; optionally `lora_name`, `tenant_id`, `additionalsalt`, `endpoint`, `type` | 200; a publisher that was registered begins anew, with event 1 |
/// | `POST /unregister` | `instance_id`; optionally `tenant_id`, `dp_rank` | 200 and what was removed; 404 |
/// | `POST /query` | `model`, `block_size`, `token_ids`; optionally `lora_name`, `tenant_id`, `instance_id`, `cache_salt` | 200, by tenant and instance |
/// | `POST /query_by_hash` | the same with `seq_hashes` instead of `token_ids` | the same |
/// | `POST /events` | an event of RFC #1527, or an array of them: `event_id` from 1, `event_type`, `backend_id` (the instance), `medium`, `seq_hashes`, and what names the group | 200 and how many were applied; 409: too many are missing, register again and say all |
///
/// Events come over HTTP here, and not from the publisher's `endpoint`, which is kept by nobody. Hashes are XXH3 as the RFC has
/// them: of a block's tokens as little-endian u32, then rolling over the hash before and that. What is wrong is a 400 that names the
/// field, what is too much a 413 or 507, and changes nothing.
///
/// Thread: one at a time. Complexity: O(blocks + instances) a query, beside its JSON.
class IndexService {
  public:
    explicit IndexService(const IndexServiceConfig& config = {}) : config_(config) {}

    [[nodiscard]] IndexAnswer answer(std::string_view method, std::string_view path, std::string_view body) {
        using Handler = Result<Json> (IndexService::*)(const Json&);
        constexpr auto handlers =
            std::array<std::pair<std::string_view, Handler>, 5>{{{"/register", &IndexService::add},
                                                                 {"/unregister", &IndexService::remove},
                                                                 {"/query", &IndexService::query},
                                                                 {"/query_by_hash", &IndexService::query},
                                                                 {"/events", &IndexService::events}}};
        const auto handler =
            std::find_if(handlers.begin(), handlers.end(), [&](auto& one) { return one.first == path; });
        if (handler == handlers.end())
            return refused(404, "there are /register, /unregister, /query, /query_by_hash and /events, and not " +
                                    in_quotes(path));
        if (method != "POST") return refused(405, std::string(path) + " takes POST");
        const auto parsed = Json::parse(body, nullptr, false);
        if (parsed.is_discarded()) return refused(400, "the body is no JSON");
        const auto done = (this->*handler->second)(parsed);
        if (done) return {.body = done->dump(-1, ' ', false, Json::error_handler_t::replace)};
        const auto code = done.error().code();
        return refused(code == Errc::not_found   ? 404
                       : code == Errc::conflict  ? 409
                       : code == Errc::too_large ? 413
                       : code == Errc::no_space  ? 507
                                                 : 400,
                       done.error().context());
    }

    /// Blocks that are held, each medium for itself.
    [[nodiscard]] std::uint64_t blocks() const noexcept {
        auto sum = std::uint64_t{0};
        for (const auto& [key, group] : groups_)
            for (const auto& medium : group->media) sum += medium.index.size();
        return sum;
    }

  private:
    using Json = nlohmann::json;
    static constexpr std::array<std::string_view, 3> media_names{"GPU", "CPU", "DISK"};
    using GroupKey = std::tuple<std::string, std::string, std::string, std::string, std::uint64_t>; // tenant first

    struct Medium {
        PrefixIndex index{};
        IndexFeed feed{index};
        std::vector<std::uint32_t> held{};
    };
    struct Publisher {
        std::string instance{};
        std::uint64_t rank = 0;
        bool there = false;
    };
    struct Group {
        std::array<Medium, media_names.size()> media{};
        std::vector<Publisher> publishers{}; // their place is their number; places are used again
        [[nodiscard]] InstanceId find(std::string_view instance, std::uint64_t rank) const noexcept {
            for (InstanceId i = 0; i < publishers.size(); ++i)
                if (publishers[i].there && publishers[i].rank == rank && publishers[i].instance == instance) return i;
            return no_instance;
        }
    };

    static IndexAnswer refused(unsigned status, std::string_view why) {
        return {.status = status, .body = Json{{"error", why}}.dump(-1, ' ', false, Json::error_handler_t::replace)};
    }

    static Result<std::string> text(const Json& in, const char* field, const char* otherwise = nullptr) {
        const auto found = in.is_object() ? in.find(field) : in.end();
        if (!in.is_object()) return Error(Errc::invalid_argument, "the body has to be an object");
        if (found == in.end() || found->is_null()) {
            if (otherwise != nullptr) return std::string(otherwise);
            return Error(Errc::invalid_argument, std::string(field) + " is missing");
        }
        if (!found->is_string() || found->get_ref<const std::string&>().size() > 256)
            return Error(Errc::invalid_argument, std::string(field) + " has to be a text of at most 256 bytes");
        return found->get<std::string>();
    }
    static Result<std::uint64_t> number(const Json& in, const char* field, std::uint64_t most) {
        const auto found = in.find(field);
        if (found == in.end()) return Error(Errc::invalid_argument, std::string(field) + " is missing");
        if (!found->is_number_unsigned() || found->get<std::uint64_t>() > most)
            return Error(Errc::invalid_argument,
                         std::string(field) + " has to be a whole number from 0 to " + std::to_string(most));
        return found->get<std::uint64_t>();
    }
    template <class T>
    Result<std::vector<T>> numbers(const Json& in, const char* field, std::size_t limit) const {
        const auto found = in.find(field);
        if (found == in.end() || !found->is_array())
            return Error(Errc::invalid_argument, std::string(field) + " has to be an array of whole numbers");
        if (found->size() > limit)
            return Error(Errc::too_large, std::string(field) + " may have " + std::to_string(limit) + " numbers here");
        auto all = std::vector<T>();
        all.reserve(found->size());
        for (const auto& one : *found) {
            if (!one.is_number_unsigned() || one.get<std::uint64_t>() > T(-1))
                return Error(Errc::invalid_argument, std::string(field) + "[" + std::to_string(all.size()) +
                                                         "] has to be a whole number of " +
                                                         std::to_string(sizeof(T) * 8) + " bits");
            all.push_back(one.get<T>());
        }
        return all;
    }

    static Result<GroupKey> group_of(const Json& in, const char* model_field, const char* salt_field) {
        const auto tenant = text(in, "tenant_id", "default");
        if (!tenant) return tenant.error();
        const auto model = text(in, model_field);
        if (!model) return model.error();
        const auto lora = text(in, "lora_name", "");
        if (!lora) return lora.error();
        const auto salt = text(in, salt_field, "");
        if (!salt) return salt.error();
        const auto block_size = number(in, "block_size", 65'536);
        if (!block_size) return block_size.error();
        if (*block_size == 0) return Error(Errc::invalid_argument, "block_size has to be at least 1");
        return GroupKey(*tenant, *model, *lora, *salt, *block_size);
    }

    Result<Json> add(const Json& in) {
        const auto key = group_of(in, "modelname", "additionalsalt");
        if (!key) return key.error();
        const auto instance = text(in, "instance_id");
        if (!instance) return instance.error();
        const auto rank = number(in, "dp_rank", 65'535);
        if (!rank) return rank.error();
        auto found = groups_.find(*key);
        if (found == groups_.end()) {
            if (groups_.size() >= config_.groups)
                return Error(Errc::no_space,
                             "there are " + std::to_string(groups_.size()) + " groups of models already");
            found = groups_.emplace(*key, std::make_unique<Group>()).first;
        }
        auto& group = *found->second;
        auto place = group.find(*instance, *rank);
        if (place == no_instance) {
            const auto free = std::find_if(group.publishers.begin(), group.publishers.end(),
                                           [](const Publisher& one) { return !one.there; });
            place = static_cast<InstanceId>(free - group.publishers.begin());
            if (place >= config_.publishers)
                return Error(Errc::no_space, "there are " + std::to_string(place) + " publishers of it already");
            if (free == group.publishers.end()) group.publishers.emplace_back();
            group.publishers[place] = {.instance = *instance, .rank = *rank, .there = true};
        }
        for (auto& medium : group.media) medium.feed.add(place);
        return Json{{"status", "registered successfully"}, {"instance_id", *instance}};
    }

    Result<Json> remove(const Json& in) {
        const auto tenant = text(in, "tenant_id", "default");
        if (!tenant) return tenant.error();
        const auto instance = text(in, "instance_id");
        if (!instance) return instance.error();
        const auto any_rank = !in.contains("dp_rank");
        const auto rank = any_rank ? Result<std::uint64_t>(0) : number(in, "dp_rank", 65'535);
        if (!rank) return rank.error();
        auto removed = Json::array();
        for (auto at = groups_.begin(); at != groups_.end();) {
            auto& group = *at->second;
            auto left = std::size_t{0};
            for (InstanceId i = 0; i < group.publishers.size(); ++i) {
                auto& one = group.publishers[i];
                if (one.there && std::get<0>(at->first) == *tenant && one.instance == *instance &&
                    (any_rank || one.rank == *rank)) {
                    for (auto& medium : group.media) medium.feed.remove(i);
                    removed.push_back(*instance + "|" + *tenant + "|" + std::to_string(one.rank));
                    one = {};
                }
                left += one.there;
            }
            at = left == 0 ? groups_.erase(at) : std::next(at);
        }
        if (removed.empty()) return Error(Errc::not_found, "nobody registered as " + in_quotes(*instance));
        return Json{{"status", "unregistered successfully"}, {"removed_instances", std::move(removed)}};
    }

    Result<Json> query(const Json& in) {
        const auto key = group_of(in, "model", "cache_salt");
        if (!key) return key.error();
        const auto only = text(in, "instance_id", "");
        if (!only) return only.error();
        const auto block_size = std::get<4>(*key);
        auto blocks = std::vector<BlockKey>();
        if (in.contains("token_ids")) {
            const auto tokens = numbers<std::uint32_t>(in, "token_ids", config_.blocks_at_once * block_size);
            if (!tokens) return tokens.error();
            blocks = hashes_of(*tokens, block_size);
        } else {
            auto hashes = numbers<std::uint64_t>(in, "seq_hashes", config_.blocks_at_once);
            if (!hashes) return Error(hashes.error().code(), "token_ids, or " + std::string(hashes.error().context()));
            blocks = std::move(*hashes);
        }
        auto instances = Json::object();
        if (const auto found = groups_.find(*key); found != groups_.end())
            held_by(*found->second, blocks, block_size, *only, instances);
        return Json{{std::get<0>(*key), std::move(instances)}};
    }

    static void held_by(Group& group, std::span<const BlockKey> blocks, std::uint64_t block_size, std::string_view only,
                        Json& instances) {
        for (auto& medium : group.media) {
            medium.held.resize(group.publishers.size());
            medium.index.match(blocks, medium.held);
        }
        const auto raise = [](Json& value, std::uint64_t to) {
            if (!value.is_number() || value.get<std::uint64_t>() < to) value = to;
        };
        for (InstanceId i = 0; i < group.publishers.size(); ++i) {
            const auto& one = group.publishers[i];
            if (!one.there || (!only.empty() && one.instance != only)) continue;
            auto& row = instances[one.instance];
            auto longest = std::uint64_t{0};
            for (std::size_t m = 0; m < media_names.size(); ++m) {
                longest = std::max<std::uint64_t>(longest, group.media[m].held[i]);
                raise(row[media_names[m]], group.media[m].held[i] * block_size);
            }
            const auto somewhere = [&](BlockKey block) { // what begins in one medium may go on in another
                return std::any_of(group.media.begin(), group.media.end(),
                                   [&](const Medium& medium) { return medium.index.holds(i, block); });
            };
            while (longest < blocks.size() && somewhere(blocks[longest])) ++longest;
            raise(row["longest_matched"], longest * block_size);
            raise(row["DP"][std::to_string(one.rank)], longest * block_size);
        }
    }

    [[nodiscard]] std::vector<BlockKey> hashes_of(std::span<const std::uint32_t> tokens,
                                                  std::uint64_t block_size) const {
        static_assert(std::endian::native == std::endian::little);
        auto hashes = std::vector<BlockKey>();
        for (; tokens.size() >= block_size; tokens = tokens.subspan(block_size)) {
            const auto local = hash_bytes(std::as_bytes(tokens.first(block_size)), config_.seed);
            const auto pair = std::array<std::uint64_t, 2>{hashes.empty() ? 0 : hashes.back(), local};
            hashes.push_back(hashes.empty() ? local : hash_bytes(std::as_bytes(std::span(pair)), config_.seed));
        }
        return hashes;
    }

    Result<Json> events(const Json& in) {
        auto applied = std::uint64_t{0}, waiting = std::uint64_t{0}, repeated = std::uint64_t{0};
        const auto take = [&](const Json& one) -> Result<void> {
            const auto outcome = event(one);
            if (!outcome) return outcome.error();
            applied += *outcome == IndexFeed::Outcome::applied, waiting += *outcome == IndexFeed::Outcome::waiting;
            repeated += *outcome == IndexFeed::Outcome::repeated;
            return ok;
        };
        if (!in.is_array()) {
            if (auto taken = take(in); !taken) return taken.error();
        } else {
            for (const auto& one : in)
                if (auto taken = take(one); !taken)
                    return Error(taken.error().code(), "of " + std::to_string(in.size()) + " events, after " +
                                                           std::to_string(applied + waiting + repeated) + ": " +
                                                           std::string(taken.error().context()));
        }
        return Json{{"applied", applied}, {"waiting", waiting}, {"repeated", repeated}};
    }

    Result<IndexFeed::Outcome> event(const Json& in) {
        const auto key = group_of(in, "model_name", "additional_salt");
        if (!key) return key.error();
        const auto instance = text(in, "backend_id");
        if (!instance) return instance.error();
        const auto rank = number(in, "dp_rank", 65'535);
        if (!rank) return rank.error();
        const auto id = number(in, "event_id", UINT64_MAX - 1);
        if (!id) return id.error();
        const auto kind = text(in, "event_type");
        if (!kind) return kind.error();
        const auto name = text(in, "medium", "gpu");
        if (!name) return name.error();
        const auto medium = std::find_if(media_names.begin(), media_names.end(), [&](std::string_view known) {
            return std::equal(known.begin(), known.end(), name->begin(), name->end(),
                              [](char a, char b) { return a == b || a + ('a' - 'A') == b; });
        });
        if (medium == media_names.end()) return Error(Errc::invalid_argument, "medium has to be gpu, cpu or disk");
        auto made = IndexEvent{.sequence = *id};
        if (*kind == "stored") made.kind = IndexEvent::Kind::stored;
        else if (*kind == "removed") made.kind = IndexEvent::Kind::removed;
        else if (*kind == "cleared") made.kind = IndexEvent::Kind::cleared;
        else return Error(Errc::invalid_argument, "event_type has to be stored, removed or cleared");
        if (made.kind != IndexEvent::Kind::cleared) {
            auto hashes = numbers<std::uint64_t>(in, "seq_hashes", config_.blocks_at_once);
            if (!hashes) return hashes.error();
            made.blocks = std::move(*hashes);
        }
        const auto found = groups_.find(*key);
        made.instance = found == groups_.end() ? no_instance : found->second->find(*instance, *rank);
        if (made.instance == no_instance)
            return Error(Errc::not_found,
                         in_quotes(*instance) + " did not register that model, block_size and dp_rank");
        if (made.kind == IndexEvent::Kind::stored && blocks() + made.blocks.size() > config_.most_blocks)
            return Error(Errc::no_space, std::to_string(blocks()) + " blocks are held already");
        auto& feed = found->second->media[static_cast<std::size_t>(medium - media_names.begin())].feed;
        const auto outcome = feed.apply(std::move(made));
        if (outcome == IndexFeed::Outcome::behind)
            return Error(Errc::conflict, "too many events of " + in_quotes(*instance) +
                                             " are missing: register again, and say from event 1 all that is held");
        return outcome;
    }

    IndexServiceConfig config_;
    std::map<GroupKey, std::unique_ptr<Group>> groups_;
};

} // namespace mooncake
