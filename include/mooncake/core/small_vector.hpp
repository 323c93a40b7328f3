#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace mooncake {

/// A vector of plain values of which the first `N` lie in the vector itself and need no allocation.
/// At most 2^32 - 1 of them; more throw `std::length_error`. The part of std::vector that is wanted of it:
/// `boost::container::small_vector` has more, and would cost every unit that includes us a fifth of its compile time.
template <class T, std::size_t N>
    requires std::is_trivially_copyable_v<T>
class SmallVector {
  public:
    using value_type = T;

    SmallVector() noexcept = default;
    SmallVector(std::initializer_list<T> values) : SmallVector(values.begin(), values.end()) {}
    SmallVector(const T* first, const T* last) { assign(first, last); }
    SmallVector(const SmallVector& other) : SmallVector(other.begin(), other.end()) {}
    SmallVector(SmallVector&& other) noexcept { swap(other); }
    SmallVector& operator=(const SmallVector& other) {
        if (this != &other) assign(other.begin(), other.end());
        return *this;
    }
    SmallVector& operator=(SmallVector&& other) noexcept {
        swap(other);
        return *this;
    }
    ~SmallVector() {
        if (allocated()) delete[] held_.many;
    }

    [[nodiscard]] T* data() noexcept { return allocated() ? held_.many : held_.few; }
    [[nodiscard]] const T* data() const noexcept { return allocated() ? held_.many : held_.few; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] T* begin() noexcept { return data(); }
    [[nodiscard]] T* end() noexcept { return data() + size_; }
    [[nodiscard]] const T* begin() const noexcept { return data(); }
    [[nodiscard]] const T* end() const noexcept { return data() + size_; }
    [[nodiscard]] T& operator[](std::size_t i) noexcept { return data()[i]; }
    [[nodiscard]] const T& operator[](std::size_t i) const noexcept { return data()[i]; }

    void push_back(T value) { emplace_back() = value; }
    T& emplace_back() {
        resize(std::size_t{size_} + 1);
        return data()[size_ - 1];
    }
    void clear() noexcept { size_ = 0; }
    void reserve(std::size_t size) {
        if (size > capacity_) grow(size);
    }
    /// New elements have their default value.
    void resize(std::size_t size) {
        if (size > capacity_) grow(size);
        if (size > size_) std::fill(data() + size_, data() + size, T());
        size_ = static_cast<std::uint32_t>(size);
    }
    /// `[first, last)` is not part of this vector.
    void assign(const T* first, const T* last) {
        reserve(static_cast<std::size_t>(last - first));
        size_ = static_cast<std::uint32_t>(last - first);
        std::copy(first, last, data());
    }

    friend bool operator==(const SmallVector& a, const SmallVector& b) {
        return std::equal(a.begin(), a.end(), b.begin(), b.end());
    }

  private:
    /// To at least twice of what it was.
    void grow(std::size_t least) {
        constexpr auto most = std::size_t{std::numeric_limits<std::uint32_t>::max()};
        if (least > most) throw std::length_error("SmallVector: more than 2^32 - 1 elements");
        const auto capacity = std::min(std::max(least, std::size_t{2} * capacity_), most);
        auto more = std::make_unique<T[]>(capacity);
        std::copy(begin(), end(), more.get());
        if (allocated()) delete[] held_.many;
        held_.many = more.release();
        capacity_ = static_cast<std::uint32_t>(capacity);
    }
    void swap(SmallVector& other) noexcept {
        std::swap(held_, other.held_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
    }
    [[nodiscard]] bool allocated() const noexcept { return capacity_ > N; }

    union Held {
        Held() noexcept : few{} {}
        T few[N];
        T* many; // where there is room for more than those
    };

    Held held_;
    std::uint32_t size_ = 0, capacity_ = N;
};

} // namespace mooncake
