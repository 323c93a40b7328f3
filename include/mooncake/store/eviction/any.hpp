#pragma once

#include <mooncake/core/result.hpp>
#include <mooncake/store/eviction/concept.hpp>
#include <mooncake/store/eviction/lru.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mooncake {

/// Choose this when: the order is chosen when the program starts. Any policy behind one type, for an indirect call a
/// decision and a touch; whatever of the capabilities it has. Its name is that of the policy in it. Moved-from ones may
/// only be assigned to and destroyed.
class AnyEviction {
  public:
    /// Least recently used.
    AnyEviction() : AnyEviction(LruEviction()) {}

    template <class Policy>
        requires(!std::derived_from<Policy, AnyEviction> && EvictionPolicy<Policy>)
    AnyEviction(Policy policy) : name(policy.name), held_(std::make_unique<Holder<Policy>>(std::move(policy))) {}

    std::string_view name;

    void insert(Slot slot, const EvictionEntry& entry) { held_->insert(slot, entry); }
    void touch(Slot slot, TimePoint now) { held_->touch(slot, now); }
    void prefetch(Slot slot) const { held_->prefetch(slot); }
    void remove(Slot slot, Departure why) { held_->remove(slot, why); }
    void reconsider(Slot slot) { held_->reconsider(slot); }
    void capacity(std::uint64_t bytes) { held_->capacity(bytes); }
    void expect(const EvictionEntry& entry) { held_->expect(entry); }
    template <class Evictable>
    [[nodiscard]] std::optional<Slot> victim(const Evictable& evictable) {
        return held_->victim(Predicate(evictable));
    }
    [[nodiscard]] std::size_t size() const noexcept { return held_->size(); }

    /// Of the same kind, and as it is: of one that nothing was put in, a new one.
    [[nodiscard]] AnyEviction another() const {
        auto copy = AnyEviction(held_->another());
        copy.name = name;
        return copy;
    }

  private:
    /// Lifetime: what it was made of outlives it.
    class Predicate {
      public:
        template <class Evictable>
        explicit Predicate(const Evictable& evictable) noexcept
            : object_(&evictable),
              call_([](const void* object, Slot slot) { return (*static_cast<const Evictable*>(object))(slot); }) {}
        [[nodiscard]] bool operator()(Slot slot) const { return call_(object_, slot); }

      private:
        const void* object_;
        bool (*call_)(const void*, Slot);
    };

    struct Held {
        virtual ~Held() = default;
        virtual void insert(Slot slot, const EvictionEntry& entry) = 0;
        virtual void touch(Slot slot, TimePoint now) = 0;
        virtual void prefetch(Slot slot) const = 0;
        virtual void remove(Slot slot, Departure why) = 0;
        virtual void reconsider(Slot slot) = 0;
        virtual void capacity(std::uint64_t bytes) = 0;
        virtual void expect(const EvictionEntry& entry) = 0;
        virtual std::optional<Slot> victim(const Predicate& evictable) = 0;
        virtual std::size_t size() const noexcept = 0;
        [[nodiscard]] virtual std::unique_ptr<Held> another() const = 0;
    };
    explicit AnyEviction(std::unique_ptr<Held> held) : held_(std::move(held)) {}

    template <class Policy>
    class Holder final : public Held {
      public:
        explicit Holder(Policy policy) : policy_(std::move(policy)) {}

        void insert(Slot slot, const EvictionEntry& entry) override { policy_.insert(slot, entry); }
        void touch(Slot slot, TimePoint now) override { policy_.touch(slot, now); }
        void prefetch(Slot slot) const override {
            if constexpr (requires { policy_.prefetch(slot); }) policy_.prefetch(slot);
        }
        void remove(Slot slot, Departure why) override { policy_.remove(slot, why); }
        void reconsider(Slot slot) override {
            if constexpr (ReconsideringPolicy<Policy>) policy_.reconsider(slot);
        }
        void capacity(std::uint64_t bytes) override {
            if constexpr (SizedPolicy<Policy>) policy_.capacity(bytes);
        }
        void expect(const EvictionEntry& entry) override {
            if constexpr (ForeseeingPolicy<Policy>) policy_.expect(entry);
        }
        std::optional<Slot> victim(const Predicate& evictable) override { return policy_.victim(evictable); }
        std::size_t size() const noexcept override { return policy_.size(); }
        [[nodiscard]] std::unique_ptr<Held> another() const override {
            if constexpr (std::copy_constructible<Policy>) return std::make_unique<Holder>(policy_);
            else return std::make_unique<Holder>(Policy());
        }

      private:
        Policy policy_;
    };

    std::unique_ptr<Held> held_;
};

/// Policies to choose from by name.
template <EvictionPolicy... Policies>
struct EvictionChoice {
    [[nodiscard]] static std::vector<std::string> names() { return {std::string(Policies::name)...}; }

    /// Errors: `invalid_argument`, with the names there are.
    [[nodiscard]] static Result<AnyEviction> named(std::string_view name) {
        auto chosen = std::optional<AnyEviction>();
        ((name == Policies::name ? (void)chosen.emplace(Policies()) : void()), ...);
        if (chosen) return *std::move(chosen);
        auto known = std::string();
        for (const auto& one : names()) known += (known.empty() ? "" : ", ") + one;
        return Error(Errc::invalid_argument,
                     "no eviction policy is called \"" + std::string(name) + "\"; there are " + known);
    }

    /// `visit.template operator()<Policy>()` for each, in order.
    template <class Visit>
    static void for_each(Visit&& visit) {
        (visit.template operator()<Policies>(), ...);
    }
};

} // namespace mooncake
