#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace mooncake::store::detail {

/// Learns from every use of a block how likely blocks like it are to be used again, by how long they have not been, and
/// what it is therefore worth to hold one. Time is counted in uses of blocks. See README.md.
class ReturnRates {
  public:
    using Class = std::uint8_t;
    static constexpr std::size_t uses_levels = 6, fresh_levels = 6, end_levels = 4;
    static constexpr std::size_t classes = uses_levels * fresh_levels * end_levels;
    static constexpr std::size_t bands = 25; ///< of ages, each 1.6 times as long as the one before

    /// What a block looks like: how often it was used; how many blocks of its last request nobody had seen before; and how
    /// many came behind it in that request.
    [[nodiscard]] static Class class_of(unsigned uses, std::size_t fresh, std::size_t behind) noexcept {
        const auto used = uses <= 2 ? uses - (uses != 0) : uses <= 4 ? 2U : uses <= 8 ? 3U : uses <= 40 ? 4U : 5U;
        const auto unseen = fresh <= 2 ? fresh : fresh <= 6 ? 3U : fresh <= 16 ? 4U : 5U;
        return static_cast<Class>(used + uses_levels * (unseen + fresh_levels * (behind < 2   ? behind
                                                                                 : behind < 8 ? 2U
                                                                                              : 3U)));
    }

    /// The cache holds `room` blocks: the first band ends at a hundred and sixtieth of that. What was learnt stays. Forgets the history.
    void fit(std::uint64_t room) {
        room_ = room;
        for (std::size_t band = 0; band < bands; ++band) {
            const auto edge = static_cast<double>(room) * std::exp2((static_cast<double>(band) - 11) / 1.5);
            edges_[band] = std::max<std::uint64_t>(band + 1, static_cast<std::uint64_t>(edge));
        }
        auto size = least_history;
        while (size < 8 * room) size *= 2;
        history_.assign(size, nobody);
        reached_.fill(now_ + 1);
    }

    /// The number of the use that is under way.
    [[nodiscard]] std::uint64_t now() const noexcept { return now_; }
    /// Another use begins. Who was not used again in time has come into the next band: found out for many uses at once, in
    /// a small part of the shortest band.
    void tick() {
        if (++now_ < advance_at_) return;
        advance_at_ = now_ + std::clamp<std::uint64_t>(room_ / 1'024, 1, 64);
        for (std::size_t band = 1; band < bands && edges_[band - 1] < history_.size(); ++band)
            for (auto& at = reached_[band]; at + edges_[band - 1] < now_; ++at) {
                const auto who = history_[place(at)];
                if (who == nobody) continue;
                count(held_, who, band);
                if (band == 1) count(held_, who, 0);
            }
        if (now_ >= fade_at_) fade();
    }
    /// The use that is under way is of a block of that class, whose use before was `last`; 0: none that is known.
    void use(Class who, std::uint64_t last) noexcept {
        if (last != 0 && now_ - last < history_.size()) {
            auto& before = history_[place(last)];
            if (before != nobody) {
                const auto band = band_of(now_ - last);
                count(returned_, before, band);
                if (band == 0) count(held_, before, 0);
            }
            before = nobody;
        }
        history_[place(now_)] = who;
    }
    /// Nothing is learnt from the use at `when`.
    void forget(std::uint64_t when) noexcept {
        if (now_ - when < history_.size()) history_[place(when)] = nobody;
    }
    /// The block that was used at `when` is of that class, as it turns out.
    void correct(std::uint64_t when, Class who) noexcept {
        if (now_ - when < history_.size() && history_[place(when)] != nobody) history_[place(when)] = who;
    }

    [[nodiscard]] std::size_t band_of(std::uint64_t age) const noexcept {
        const auto past = std::upper_bound(edges_.begin(), edges_.end() - 1, age);
        return static_cast<std::size_t>(past - edges_.begin());
    }

    /// What it is worth to hold a block of a class and a band: uses to be expected for each block and use that it is held, if
    /// it is held for as long as is best. `worth[who * bands + band]`. Complexity: O(classes · bands²).
    void appraise(std::span<float> worth) const {
        auto usual = Row{}, usually_held = Row{};
        auto returned = Views{}, held = Views{};
        for (Class who = 0; who < classes; ++who)
            for (std::size_t band = 0; band < bands; ++band) {
                const auto back = returned_[who][band], there = held_[who][band];
                for (const auto row : {used(who), fresh(who)}) returned[row][band] += back, held[row][band] += there;
                if (used(who) >= seldom_leaves) continue;
                usual[band] += back;
                usually_held[band] += there;
            }
        for (std::size_t band = 0; band < bands; ++band)
            usual[band] = std::min(1.F, (usual[band] + .2F) / (usually_held[band] + 2));
        constexpr auto doubt = 20.F; // so many blocks that do as usual are added to each row
        for (std::size_t row = 0; row < rows; ++row)
            for (std::size_t band = 0; band < bands; ++band)
                returned[row][band] =
                    std::min(1.F, (returned[row][band] + doubt * usual[band]) / (held[row][band] + doubt));
        for (Class who = 0; who < classes; ++who) {
            auto rates = Row{};
            for (std::size_t band = 0; band < bands; ++band)
                rates[band] = (returned[used(who)][band] + returned[fresh(who)][band]) / 2;
            for (std::size_t band = 0; band < bands; ++band) worth[who * bands + band] = worth_from(rates, band);
        }
    }

  private:
    static constexpr Class nobody = std::numeric_limits<Class>::max();
    static constexpr std::size_t least_history = std::size_t{1} << 17;
    /// Two views of the same: by how often blocks were used, and by how much was new in their request; both by the end.
    static constexpr std::size_t first_view = uses_levels * end_levels, rows = first_view + fresh_levels * end_levels;
    static constexpr std::size_t seldom_leaves = 4 * end_levels; // rows of what was used more than eight times
    [[nodiscard]] static std::size_t used(Class who) noexcept {
        return who % uses_levels * end_levels + who / (uses_levels * fresh_levels);
    }
    [[nodiscard]] static std::size_t fresh(Class who) noexcept {
        return first_view + who / uses_levels % fresh_levels * end_levels + who / (uses_levels * fresh_levels);
    }
    using Row = std::array<float, bands>;
    using Views = std::array<Row, rows>;
    using Counts = std::array<Row, classes>;

    static void count(Counts& counts, Class who, std::size_t band) noexcept { counts[who][band] += 1; }
    [[nodiscard]] std::size_t place(std::uint64_t when) const noexcept { return when & (history_.size() - 1); }

    /// The greatest ratio, over all times to give up, of the chance to return until then to the time held until then.
    [[nodiscard]] float worth_from(const Row& rates, std::size_t first) const noexcept {
        auto best = 0.F, left = 1.F, gain = 0.F, cost = 0.F;
        for (auto band = first; band < bands; ++band) {
            const auto begin = band == 0 ? 0 : edges_[band - 1];
            const auto width = static_cast<float>(edges_[band] - begin) * (band == first ? .5F : 1.F);
            gain += left * rates[band];
            cost += left * width * (1 - rates[band] / 2);
            left *= 1 - rates[band];
            best = std::max(best, gain / cost);
        }
        return best;
    }

    /// What is long ago counts less: a tenth less for every sixteen uses a block of room, and before counts are too large
    /// for counting on.
    void fade() {
        fade_at_ = now_ + std::min<std::uint64_t>(16 * room_ + 1, std::uint64_t{1} << 22);
        for (auto* table : {&returned_, &held_})
            for (auto& row : *table)
                for (auto& cell : row) cell *= .9F;
    }

    std::uint64_t room_ = 1, now_ = 0, advance_at_ = 0, fade_at_ = 0;
    std::array<std::uint64_t, bands> edges_{};   // where a band ends
    std::array<std::uint64_t, bands> reached_{}; // of each band, the first use that is not in it yet
    std::vector<Class> history_ = std::vector<Class>(least_history, nobody); // of uses not followed by another
    Counts returned_{}, held_{};
};

} // namespace mooncake::store::detail
