#pragma once

#include <mooncake/core/bytes.hpp>
#include <mooncake/core/result.hpp>
#include <mooncake/core/text_file.hpp>
#include <mooncake/memory/access.hpp>
#include <mooncake/memory/file_descriptor.hpp>
#include <mooncake/memory/mapping.hpp>
#include <mooncake/memory/prefault.hpp>
#include <mooncake/memory/room.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace mooncake {

/// What backs an arena's pages.
enum class PageKind : std::uint8_t {
    hugetlb,     ///< reserved 2 MiB pages (`/proc/sys/vm/nr_hugepages`)
    transparent, ///< 2 MiB pages where the kernel finds them and `/sys/kernel/mm/transparent_hugepage` lets it
    plain,       ///< 4 KiB pages
};

[[nodiscard]] constexpr std::string_view to_string(PageKind kind) noexcept {
    return kind == PageKind::hugetlb ? "hugetlb" : kind == PageKind::transparent ? "transparent" : "plain";
}

/// Who can map an arena.
enum class ArenaSharing : std::uint8_t {
    host,    ///< a memfd: processes on this host to which it is handed
    process, ///< this process only; most kernels are set to give huge pages to such memory and not to memfds
};

struct ArenaConfig {
    std::uint64_t bytes = 0; ///< 1 … what the machine has free; rounded up to whole 2 MiB, all of which are the arena's
    PageKind pages = PageKind::hugetlb; ///< the best to try; what cannot be had falls to the next
    ArenaSharing sharing = ArenaSharing::host;
    unsigned prefault_threads = 0;            ///< 0: one per core
    std::string_view name = "mooncake-arena"; ///< seen in `/proc/<pid>/maps`
    Progress progress = {}; ///< how much of it has been touched: with 4 KiB pages 100 GiB take minutes
};

/// Memory for regions, in huge pages where there are any, touched before use, since the first touch of a page can cost a
/// hundred times the copy that follows. One to share is a memfd that is sealed against resizing: a peer that maps it
/// cannot be killed by a truncation.
class Arena {
  public:
    /// Errors: `invalid_argument` (no bytes), `out_of_memory` (more than the machine has available; the message says how
    /// much that is), `system`.
    [[nodiscard]] static Result<std::shared_ptr<Arena>> create(const ArenaConfig& config) {
        if (config.bytes == 0) return Error(Errc::invalid_argument, "ArenaConfig::bytes is 0; give at least 1");
        const auto room = memory::detail::read_room();
        if (config.bytes > std::numeric_limits<std::uint64_t>::max() - Mapping::huge_page)
            return too_much(config, room);
        auto arena = std::shared_ptr<Arena>(new Arena);
        const auto bytes = round_up(config.bytes, Mapping::huge_page);
        const auto reserved = config.pages == PageKind::hugetlb && bytes <= room.huge;
        if (!reserved && config.bytes > room.plain) return too_much(config, room);
        if (config.pages == PageKind::hugetlb && arena->map(bytes, config, PageKind::hugetlb).has_value()) {
            arena->pages_ = PageKind::hugetlb;
        } else if (config.bytes > room.plain) { // somebody else took the reserved pages just now
            return too_much(config, room);
        } else if (auto mapped = arena->map(bytes, config, PageKind::plain); !mapped) {
            return mapped.error();
        } else {
            const auto huge = config.pages != PageKind::plain && kernel_may_give_huge_pages(config.sharing) &&
                              madvise(arena->bytes().data(), bytes, MADV_HUGEPAGE) == 0;
            arena->pages_ = huge ? PageKind::transparent : PageKind::plain;
        }
        if (auto faulted = prefault(arena->bytes(), config.prefault_threads, config.progress); !faulted)
            return faulted.error();
        return arena;
    }

    [[nodiscard]] MutableBytes bytes() const noexcept { return mapping_.bytes(); }
    [[nodiscard]] PageKind pages() const noexcept { return pages_; }
    /// Whether other processes can map it.
    [[nodiscard]] bool shareable() const noexcept { return static_cast<bool>(fd_); }
    /// Of the memfd; -1 where there is none.
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

    /// From now on nobody makes this memory writable any more, by whatever descriptor, but this process as it is: what peers
    /// who may read only are given is then enforced by the kernel, whoever they are. For `Rights` without writing; with it
    /// only the seals themselves are settled. Nothing happens where it was settled before, or is not shareable.
    void settle_rights(Rights rights) const noexcept {
        if (!fd_) return;
        const auto seals = includes(rights, Rights::write) ? F_SEAL_SEAL : F_SEAL_SEAL | F_SEAL_FUTURE_WRITE;
        (void)fcntl(fd_.get(), F_ADD_SEALS, seals);
    }
    /// Whether `settle_rights` took the right to write.
    [[nodiscard]] bool write_sealed() const noexcept {
        const auto seals = fd_ ? fcntl(fd_.get(), F_GET_SEALS) : -1;
        return seals >= 0 && (seals & F_SEAL_FUTURE_WRITE) != 0;
    }

    /// A second descriptor of the same memory through which nothing can be written. Requires: it is shareable.
    /// Errors: `system`.
    [[nodiscard]] Result<FileDescriptor> read_only_fd() const {
        auto fd = FileDescriptor(open(("/proc/self/fd/" + std::to_string(fd_.get())).c_str(), O_RDONLY | O_CLOEXEC));
        if (!fd) return errno_error("open of the arena's memfd for reading", errno);
        return fd;
    }

    /// Bytes of memory that this process can have: what the machine has available, and what its control groups leave it;
    /// without bound where that cannot be read. Huge pages that are reserved do not count.
    [[nodiscard]] static std::uint64_t available_memory() { return memory::detail::read_room().plain; }

  private:
    Arena() = default;

    static Error too_much(const ArenaConfig& config, const memory::detail::Room& room) {
        return {Errc::out_of_memory, "an arena of " + std::to_string(config.bytes) + " bytes was asked for, and " +
                                         std::to_string(room.plain) +
                                         " bytes of memory are available to this process, and " +
                                         std::to_string(room.huge) +
                                         " in reserved huge pages; ask for less, free some, or raise the limit of the "
                                         "control group (memory.max)"};
    }

    /// Whether memory that asks for huge pages may get some; `madvise` succeeds either way. Such files say
    /// `always madvise [never]`.
    static bool kernel_may_give_huge_pages(ArenaSharing sharing) {
        const auto choices = core::detail::read_text_file(sharing == ArenaSharing::host
                                                              ? "/sys/kernel/mm/transparent_hugepage/shmem_enabled"
                                                              : "/sys/kernel/mm/transparent_hugepage/enabled");
        return choices.find('[') != std::string::npos && choices.find("[never]") == std::string::npos &&
               choices.find("[deny]") == std::string::npos;
    }

    Result<void> map(std::uint64_t bytes, const ArenaConfig& config, PageKind pages) {
        const auto hugetlb = pages == PageKind::hugetlb;
        if (config.sharing == ArenaSharing::process) {
            auto mapping = Mapping::anonymous(bytes, hugetlb ? MAP_HUGETLB : 0);
            if (!mapping) return mapping.error();
            mapping_ = std::move(*mapping);
            return ok;
        }
        const auto flags = MFD_CLOEXEC | MFD_ALLOW_SEALING | (hugetlb ? MFD_HUGETLB : 0U);
        auto fd = FileDescriptor(memfd_create(std::string(config.name).c_str(), flags));
        if (!fd) return errno_error("memfd_create", errno);
        if (ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) return errno_error("ftruncate of a memfd", errno);
        if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0)
            return errno_error("sealing a memfd", errno);
        // Who is handed a descriptor for reading can open it again for writing, unless the file is another user's.
        if (fchmod(fd.get(), S_IRUSR | S_IWUSR) != 0) return errno_error("fchmod of a memfd", errno);
        auto mapping = Mapping::of(fd.get(), 0, bytes, PROT_READ | PROT_WRITE);
        if (!mapping) return mapping.error();
        fd_ = std::move(fd);
        mapping_ = std::move(*mapping);
        return ok;
    }

    FileDescriptor fd_;
    Mapping mapping_;
    PageKind pages_ = PageKind::plain;
};

} // namespace mooncake
