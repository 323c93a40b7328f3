// mooncakectl: looks into a cluster, puts, gets and removes single objects, and empties nodes, from a shell.
#include <mooncake/core/in_quotes.hpp>
#include <mooncake/store/cluster_store.hpp>
#include <mooncake/store/explain.hpp>

#include "daemon.hpp"
#include "security.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using mooncake::Errc;
using mooncake::Error;
using mooncake::Result;
using mooncake::Task;
using mooncake::store::RemoveMode;
using Json = nlohmann::ordered_json;

struct Traits {
    using Engine = cluster::Secured;
    using Master = mooncake::RemoteMaster<cluster::AnyTcp>;
};
using Store = mooncake::Store<Traits>;

constexpr auto patience = std::chrono::seconds(10);
constexpr auto long_patience = std::chrono::minutes(10);
constexpr std::uint64_t most_value_bytes = 1ULL << 30;

struct Options {
    std::string master = "127.0.0.1:7000", file, tenant;
    std::uint32_t limit = 10'000, replicas = 1, weight = 1;
    std::uint64_t bytes = 0, objects = 0, pinned_bytes = 0, seconds = 1'800;
    bool json = false, force = false, replace = false, hard = false;
    cluster::Security security;
    std::vector<std::string> words;
};

/// Errors: `system`, where it could not be written, as on a disk that is full.
Result<void> print(std::string_view text) {
    std::cout << text << std::flush;
    if (!std::cout) return Error(Errc::system, "standard output could not be written");
    return mooncake::ok;
}
Result<void> print_json(const Json& json) {
    return print(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"); // keys are any bytes
}

Json to_json(const mooncake::store::StatsReply& stats, const mooncake::store::SegmentsReply& mounted) {
    auto segments = Json::array();
    for (const auto& segment : mounted.segments)
        segments.push_back({{"id", segment.segment},
                            {"name", segment.name},
                            {"host", segment.host},
                            {"bytes", segment.bytes},
                            {"endpoint", segment.endpoint}});
    return {{"eviction", stats.eviction},
            {"objects", stats.objects},
            {"leases", stats.leases},
            {"capacity_bytes", stats.capacity_bytes},
            {"used_bytes", stats.used_bytes},
            {"free_bytes", stats.free_bytes},
            {"leased_bytes", stats.leased_bytes},
            {"pinned_bytes", stats.pinned_bytes},
            {"writing_bytes", stats.writing_bytes},
            {"quarantined_bytes", stats.quarantined_bytes},
            {"evictions", stats.evictions},
            {"evicted_bytes", stats.evicted_bytes},
            {"segments", std::move(segments)}};
}

Task<void> stat(Store& store, const Options& options) {
    const auto stats = co_await store.statistics(patience);
    if (!stats) co_return stats.error();
    const auto all = mooncake::store::Segments();
    const auto mounted = co_await store.master().call(all, patience);
    if (!mounted) co_return mounted.error();
    const auto json = to_json(*stats, *mounted);
    if (options.json) co_return print_json(json);
    auto text = std::string();
    for (const auto& [name, value] : json.items())
        if (name != "segments")
            text += name + " " + (value.is_string() ? value.get<std::string>() : value.dump()) + "\n";
    text += "segments " + std::to_string(mounted->segments.size()) + "\n";
    for (const auto& segment : mounted->segments)
        text += "  " + mooncake::in_quotes(segment.name) + "  " + std::to_string(segment.bytes) + " bytes  " +
                mooncake::in_quotes(segment.endpoint) + "\n";
    co_return print(text);
}

Task<void> list(Store& store, const Options& options) {
    const auto prefix = options.words.size() > 1 ? options.words[1] : std::string();
    auto objects = std::vector<mooncake::store::ListedObject>();
    auto more = true;
    while (more && objects.size() < options.limit) {
        const auto after = objects.empty() ? std::string() : objects.back().key;
        const auto wanted = std::min<std::size_t>(1'000, options.limit - objects.size());
        auto page = co_await store.list(prefix, after, static_cast<std::uint32_t>(wanted), patience);
        if (!page) co_return page.error();
        more = page->size() == wanted;
        objects.insert(objects.end(), std::make_move_iterator(page->begin()), std::make_move_iterator(page->end()));
    }
    if (options.json) {
        auto json = Json::array();
        for (const auto& object : objects)
            json.push_back({{"key", object.key}, {"bytes", object.size}, {"version", object.version}});
        co_return print_json(json);
    }
    auto text = std::string();
    for (const auto& object : objects)
        text += std::to_string(object.size) + "  " + mooncake::in_quotes(object.key, object.key.size()) + "\n";
    if (more) std::cerr << "mooncakectl: there may be more; --limit asks for more than " << options.limit << '\n';
    co_return print(text);
}

Task<void> get(Store& store, const Options& options) {
    if (options.json)
        co_return Error(Errc::invalid_argument, "get gives the object's own bytes; --json is for the other commands");
    const auto bytes = co_await store.get(options.words[1], {.deadline = patience});
    if (!bytes) co_return bytes.error();
    const auto text = mooncake::text_of(*bytes);
    if (options.file.empty()) co_return print(text);
    auto file = std::ofstream(options.file, std::ios::binary);
    file << text << std::flush;
    if (!file) co_return Error(Errc::system, "the file " + mooncake::in_quotes(options.file) + " could not be written");
    co_return mooncake::ok;
}

/// Errors: `system`, `too_large`.
Result<std::string> read_value(const std::string& name) {
    auto file = std::ifstream();
    if (!name.empty()) file.open(name, std::ios::binary);
    auto& in = name.empty() ? std::cin : file;
    auto value = std::string();
    for (auto piece = std::string(1 << 16, '\0'); in && value.size() <= most_value_bytes;) {
        in.read(piece.data(), static_cast<std::streamsize>(piece.size()));
        value.append(piece, 0, static_cast<std::size_t>(in.gcount()));
    }
    if (in.bad() || (!name.empty() && !file.is_open()))
        return Error(Errc::system, "the file " + mooncake::in_quotes(name) + " could not be read");
    if (value.size() > most_value_bytes)
        return Error(Errc::too_large, "the value has more than " + std::to_string(most_value_bytes) + " bytes");
    return value;
}

Task<void> put(Store& store, const Options& options) {
    const auto value = read_value(options.file);
    if (!value) co_return value.error();
    const auto how =
        mooncake::PutOptions{.deadline = patience,
                             .replicas = options.replicas,
                             .mode = options.replace ? mooncake::WriteMode::upsert : mooncake::WriteMode::create};
    const auto stored = co_await store.put(options.words[1], mooncake::bytes_of(*value), how);
    if (!stored) co_return stored.error();
    if (stored->replicas == 0)
        co_return Error(Errc::exists, "object " + mooncake::in_quotes(options.words[1]) +
                                          " is there already; --replace puts this one in its place");
    if (options.json)
        co_return print_json(Json{{"key", options.words[1]},
                                  {"bytes", value->size()},
                                  {"version", stored->version},
                                  {"replicas", stored->replicas}});
    co_return mooncake::ok;
}

Task<void> remove(Store& store, const Options& options) {
    const auto keys = std::vector<std::string_view>(options.words.begin() + 1, options.words.end());
    const auto mode = options.force ? RemoveMode::force : RemoveMode::unless_in_use;
    const auto removed = co_await store.remove_batch(keys, mode, patience);
    if (!removed) co_return removed.error();
    auto json = Json::array();
    auto first = std::optional<Error>();
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const auto outcome = (*removed)[i];
        json.push_back({{"key", keys[i]}, {"outcome", to_string(outcome)}});
        if (outcome == Errc::ok || first) continue;
        auto sentence = "object " + mooncake::in_quotes(keys[i]);
        if (outcome == Errc::conflict) sentence += " is leased or being written; --force removes it all the same";
        first = Error(outcome, std::move(sentence));
    }
    if (options.json)
        if (const auto printed = print_json(json); !printed) co_return printed.error();
    if (first) co_return *first;
    co_return mooncake::ok;
}

constexpr std::string_view event_kinds[] = {"stored", "evicted", "removed", "lost", "expired"};

Json to_json(const mooncake::Explanation& all) {
    auto replicas = Json::array(), history = Json::array();
    for (const auto& replica : all.replicas) {
        auto ways = Json::array();
        for (const auto& way : replica.ways)
            ways.push_back(
                {{"transport", way.transport},
                 {"outcome", to_string(way.outcome.code())},
                 {"round_trip_ns", std::chrono::duration_cast<std::chrono::nanoseconds>(way.round_trip).count()}});
        replicas.push_back({{"segment", replica.segment.segment},
                            {"name", replica.segment.name},
                            {"host", replica.segment.host},
                            {"offset", replica.offset},
                            {"opened", to_string(replica.opened.code())},
                            {"ways", std::move(ways)}});
    }
    for (const auto& event : all.history) {
        const auto kind = static_cast<std::size_t>(event.kind);
        history.push_back({{"sequence", event.sequence},
                           {"event", kind < std::size(event_kinds) ? event_kinds[kind] : "unknown"},
                           {"version", event.version},
                           {"bytes", event.size}});
    }
    constexpr std::string_view memories[] = {"none", "some", "all"};
    return {{"key", all.key},
            {"outcome", to_string(all.outcome)},
            {"bytes", all.size},
            {"version", all.version},
            {"replicas", std::move(replicas)},
            {"events", memories[static_cast<std::size_t>(all.memory)]},
            {"last_event", all.last_event},
            {"history", std::move(history)}};
}

Task<void> explain(Store& store, const Options& options) {
    auto asked = mooncake::explain(&store, options.words[1], patience);
    const auto all = co_await std::move(asked);
    if (!all) co_return all.error();
    co_return options.json ? print_json(to_json(*all)) : print(all->text());
}

/// A line of JSON for each thing that happened to an object: what the master remembers, then what comes. Ends with the process,
/// or after --limit of them.
Task<void> events(Store& store, const Options& options) {
    auto last = std::uint64_t{0}, term = std::uint64_t{0};
    for (auto told = std::uint32_t{0}; told < options.limit;) {
        const auto next = mooncake::EventOptions{
            .deadline = patience, .wait = patience / 2, .limit = std::min<std::uint32_t>(options.limit - told, 1'000)};
        const auto reply = co_await store.events(last, term, next);
        if (!reply) co_return reply.error();
        last = reply->last;
        term = reply->term;
        auto text = std::string();
        if (reply->gap == mooncake::store::EventGap::some) text = "{\"event\":\"gap\"}\n";
        for (const auto& event : reply->events) {
            const auto kind = static_cast<std::size_t>(event.kind);
            if (kind >= std::size(event_kinds))
                co_return Error(Errc::protocol_error, "the master told of an unknown event");
            const auto whose = mooncake::store::split_key(event.key);
            auto json = Json{{"sequence", event.sequence},
                             {"event", event_kinds[kind]},
                             {"key", whose.key},
                             {"version", event.version},
                             {"bytes", event.size}};
            if (!whose.tenant.empty()) json["tenant"] = whose.tenant;
            text += json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
        }
        told += static_cast<std::uint32_t>(reply->events.size());
        if (const auto printed = print(text); !printed) co_return printed.error();
    }
    co_return mooncake::ok;
}

/// Errors: `invalid_argument`.
Result<std::uint32_t> id_of(const std::vector<mooncake::store::SegmentInfo>& segments, std::string_view name) {
    for (const auto& segment : segments)
        if (segment.name == name) return segment.segment;
    return Error(Errc::not_found, "no segment " + mooncake::in_quotes(name) + " is mounted; stat names them");
}

Task<void> move(Store& store, const Options& options) {
    const auto segments = co_await store.segments(patience);
    if (!segments) co_return segments.error();
    const auto from = id_of(*segments, options.words[2]);
    if (!from) co_return from.error();
    const auto how = mooncake::ReplicaOptions{.deadline = patience};
    co_return co_await store.move(options.words[1], *from, how);
}
Task<void> change_replicas(Store& store, const Options& options) {
    const auto how = mooncake::ReplicaOptions{.deadline = patience};
    const auto replicas = co_await store.change_replicas(options.words[1], options.replicas, how);
    if (!replicas) co_return replicas.error();
    if (options.json) co_return print_json(Json{{"key", options.words[1]}, {"replicas", *replicas}});
    co_return mooncake::ok;
}

Task<void> print_report(const mooncake::MoveReport& report, const Options& options) {
    const auto json =
        Json{{"objects", report.objects}, {"bytes", report.bytes}, {"failed", report.failed}, {"left", report.left}};
    if (options.json)
        if (const auto printed = print_json(json); !printed) co_return printed.error();
    if (report.failed != 0 || report.left != 0)
        co_return Error(Errc::no_space, std::to_string(report.failed) + " objects could not be copied, and " +
                                            std::to_string(report.left) + " replicas are left" +
                                            (report.why.empty() ? "" : "; the last of them: " + report.why));
    if (!options.json)
        co_return print(std::to_string(report.objects) + " objects copied, " + std::to_string(report.bytes) +
                        " bytes\n");
    co_return mooncake::ok;
}
Task<void> drain(Store& store, const Options& options) {
    const auto drained = co_await store.drain(options.words[1], long_patience);
    if (!drained) co_return drained.error();
    co_return co_await print_report(*drained, options);
}
Task<void> end_drain(Store& store, const Options& options) { return store.end_drain(options.words[1], patience); }
Task<void> repair(Store& store, const Options& options) {
    const auto repaired = co_await store.repair(long_patience);
    if (!repaired) co_return repaired.error();
    co_return co_await print_report(*repaired, options);
}

Task<void> tenants(Store& store, const Options& options) {
    const auto all = co_await store.tenants(patience);
    if (!all) co_return all.error();
    auto json = Json::array();
    auto text = std::string();
    for (const auto& one : *all) {
        json.push_back({{"tenant", one.tenant},
                        {"bytes", one.bytes},
                        {"objects", one.objects},
                        {"pinned_bytes", one.pinned_bytes},
                        {"quota_bytes", one.quota.bytes},
                        {"quota_objects", one.quota.objects},
                        {"quota_pinned_bytes", one.quota.pinned_bytes},
                        {"weight", one.quota.weight},
                        {"evictions", one.evictions},
                        {"evicted_bytes", one.evicted_bytes},
                        {"taken", one.taken},
                        {"refused", one.refused}});
        const auto of = [](std::uint64_t has, std::uint64_t most) {
            return std::to_string(has) + (most == 0 ? "" : " of " + std::to_string(most));
        };
        text += (one.tenant.empty() ? "(none)" : one.tenant) + "  " + of(one.bytes, one.quota.bytes) + " bytes  " +
                of(one.objects, one.quota.objects) + " objects  " + of(one.pinned_bytes, one.quota.pinned_bytes) +
                " bytes hard-pinned  weight " + std::to_string(one.quota.weight) + "  " +
                std::to_string(one.evictions) + " evicted, " + std::to_string(one.taken) + " for others  " +
                std::to_string(one.refused) + " refused\n";
    }
    co_return options.json ? print_json(json) : print(text);
}
Task<void> set_quota(Store& store, const Options& options) {
    const auto quota = mooncake::store::TenantQuota{.bytes = options.bytes,
                                                    .objects = options.objects,
                                                    .pinned_bytes = options.pinned_bytes,
                                                    .weight = options.weight};
    const auto tenant = options.words.size() > 1 ? options.words[1] : std::string();
    co_return co_await store.set_quota(tenant, quota, patience);
}
Task<void> pin(Store& store, const Options& options) {
    const auto how = mooncake::PinOptions{.deadline = patience,
                                          .pin = options.hard ? mooncake::store::Pin::hard : mooncake::store::Pin::soft,
                                          .time = std::chrono::seconds(options.seconds)};
    co_return co_await store.pin(options.words[1], how);
}
Task<void> unpin(Store& store, const Options& options) { return store.unpin(options.words[1], patience); }

struct Command {
    std::string_view name;
    std::size_t least, most; ///< words behind it
    Task<void> (*run)(Store&, const Options&);
};
constexpr Command commands[] = {
    {"stat", 0, 0, stat},
    {"ls", 0, 1, list},
    {"get", 1, 1, get},
    {"put", 1, 1, put},
    {"rm", 1, 10'000, remove},
    {"events", 0, 0, events},
    {"replicas", 1, 1, change_replicas},
    {"mv", 2, 2, move},
    {"drain", 1, 1, drain},
    {"undrain", 1, 1, end_drain},
    {"repair", 0, 0, repair},
    {"explain", 1, 1, explain},
    {"tenants", 0, 0, tenants},
    {"quota", 0, 1, set_quota},
    {"pin", 1, 1, pin},
    {"unpin", 1, 1, unpin},
};
constexpr auto usage =
    "stat | ls [PREFIX] | get KEY | put KEY | rm KEY… | events | replicas KEY | mv KEY FROM-SEGMENT | "
    "drain SEGMENT | undrain SEGMENT | repair | explain KEY | tenants | quota [TENANT] | pin KEY | unpin KEY";

Result<void> run(const Options& options) {
    const auto given = options.words.empty() ? std::string() : options.words.front();
    const auto* const end = std::end(commands);
    const auto* const command =
        std::find_if(std::begin(commands), end, [&](const Command& one) { return one.name == given; });
    if (command == end)
        return Error(
            Errc::invalid_argument,
            (given.empty() ? "a command is needed: " : "there is no command " + mooncake::in_quotes(given) + ": ") +
                usage);
    const auto behind = options.words.size() - 1;
    if (behind < command->least || behind > command->most)
        return Error(Errc::invalid_argument, given + " takes other words behind it: " + usage);
    const auto master = mooncake::parse_endpoint(options.master);
    if (!master) return master.error();
    const auto stream = options.security.policy();
    if (!stream) return stream.error();
    auto runtime = mooncake::Runtime({.threads = 1});
    auto config = Store::Config();
    config.master.rpc.server = *master;
    config.master.stream = *stream;
    config.client.tenant = options.tenant;
    config.engine.log = cluster::stderr_log("mooncakectl");
    config.engine.metadata =
        std::make_shared<cluster::Secured::Metadata>(runtime, mooncake::PeerMetadataConfig(), *stream);
    config.engine.transport<mooncake::TcpTransport<cluster::AnyTcp>>().stream = *stream;
    const auto metadata = config.engine.metadata;
    auto done = Result<void>();
    {
        auto store = Store(runtime, std::move(config)); // throws, when nothing has begun
        metadata->start();
        done = runtime.run(command->run(store, options));
        runtime.run(store.close());
    }
    runtime.run(metadata->close());
    return done;
}

} // namespace

int main(int argc, char** argv) {
    auto options = Options();
    auto flags =
        cluster::Flags("mooncakectl", "looks into a cluster, puts, gets and removes single objects, and empties nodes");
    flags.words(usage, options.words, "what to do; a KEY that begins with - comes behind --");
    flags.text("master", options.master, "address of the master, host:port");
    flags.text("file", options.file, "where get writes the object, and put reads it; without one the standard streams");
    flags.number("limit", options.limit, "most objects that ls names, or events that events tells", 1U);
    flags.number("replicas", options.replicas, "of what is put, or that replicas gives a KEY", 1U, 16U);
    flags.on("force", options.force, "rm removes also what is leased or being written");
    flags.text("tenant", options.tenant, "whose KEYs they are; without one nobody's in particular");
    flags.number("bytes", options.bytes, "that quota lets a TENANT have, 0 for any number");
    flags.number("objects", options.objects, "that quota lets a TENANT have, 0 for any number");
    flags.number("pinned-bytes", options.pinned_bytes, "that quota lets a TENANT pin hard, 0 for any number");
    flags.number("weight", options.weight, "that quota gives a TENANT: its share when all is full is by this", 1U,
                 1'000'000U);
    flags.number("seconds", options.seconds, "how long pin holds", std::uint64_t{1}, std::uint64_t{31'536'000});
    flags.on("hard", options.hard, "pin holds for ever");
    flags.on("replace", options.replace, "put replaces the object that is there");
    options.security.add_to(flags);
    flags.on("json", options.json, "for programs");
    if (const auto parsed = flags.parse(argc, argv); !parsed) return cluster::fail("mooncakectl", parsed.error());
    try {
        const auto done = run(options);
        return done ? EXIT_SUCCESS : cluster::fail("mooncakectl", done.error());
    } catch (const boost::system::system_error& error) {
        std::cerr << "mooncakectl: " << error.what() << '\n';
        return EXIT_FAILURE;
    }
}
