// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

// What the dynamic linker has loaded, and the functions that an object defines by itself. It knows nothing of what the
// objects are for.
//
// Fork: dl_iterate_phdr takes a lock of the linker that glibc does not reset in the child (seen with 2.36; its fork()
// of 2024 still resets the linker's two other locks only). A child forked while another thread of its parent walked or
// changed the list waits for ever at its first look, and at its first dlopen of something new just the same. So whoever
// forks has looked before; and a worker's zygote looks once before it says hello, so that such a child is given up as
// for any other lock that was copied while held.

namespace lk::parallel::threads {

/// Changes whenever an object is loaded or unloaded: the linker's own counters.
struct loader_epoch {
  unsigned long long adds = 0, subs = 0;
  friend bool operator==(const loader_epoch&, const loader_epoch&) = default;
};

/// Some ten nanoseconds. Threads: safe.
inline loader_epoch current_loader_epoch() {
  loader_epoch epoch;
  ::dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void* state) {
        *static_cast<loader_epoch*>(state) = {object->dlpi_adds, object->dlpi_subs};
        return 1; // the counters are the same for every object
      },
      &epoch);
  return epoch;
}

/// The names that an object defines, read from its own GNU hash table, which all current linkers write. (dlsym would
/// search all that the object needs as well, and the dlclose after it weighs all that is loaded: 150 microseconds an
/// object, with LibTorch's 288.)
/// Lifetime: inside a callback of dl_iterate_phdr, which keeps the object where it is.
class defined_names {
 public:
  explicit defined_names(const dl_phdr_info& object) {
    const ElfW(Dyn)* entry = nullptr;
    for (ElfW(Half) i = 0; i < object.dlpi_phnum; ++i)
      if (object.dlpi_phdr[i].p_type == PT_DYNAMIC)
        entry = reinterpret_cast<const ElfW(Dyn)*>(object.dlpi_addr + object.dlpi_phdr[i].p_vaddr);
    for (; entry != nullptr && entry->d_tag != DT_NULL; ++entry) {
      ElfW(Addr) place = entry->d_un.d_ptr; // glibc has made it an address, but for some machines and the vdso
      if (place < object.dlpi_addr) place += object.dlpi_addr;
      if (entry->d_tag == DT_GNU_HASH) table_ = reinterpret_cast<const std::uint32_t*>(place);
      if (entry->d_tag == DT_SYMTAB) symbols_ = reinterpret_cast<const ElfW(Sym)*>(place);
      if (entry->d_tag == DT_STRTAB) texts_ = reinterpret_cast<const char*>(place);
    }
  }

  /// True also where there is no such table.
  bool may_have(std::string_view name) const {
    if (table_ == nullptr || symbols_ == nullptr || texts_ == nullptr) return true;
    std::uint32_t hash = 5381;
    for (const char letter : name) hash = hash * 33 + static_cast<unsigned char>(letter);
    const std::uint32_t n_buckets = table_[0], first_symbol = table_[1], n_filter_words = table_[2];
    const auto* const buckets = table_ + 4 + n_filter_words * (sizeof(ElfW(Addr)) / sizeof(std::uint32_t));
    const auto* const hashes = buckets + n_buckets; // of the symbols from first_symbol on; the lowest bit ends a chain
    if (n_buckets == 0) return false;
    std::uint32_t symbol = buckets[hash % n_buckets];
    if (symbol < first_symbol) return false;
    while (true) {
      const std::uint32_t other = hashes[symbol - first_symbol];
      if ((other | 1) == (hash | 1) && name == texts_ + symbols_[symbol].st_name) return true;
      if ((other & 1) != 0) return false;
      ++symbol;
    }
  }

 private:
  const std::uint32_t* table_ = nullptr;
  const ElfW(Sym) * symbols_ = nullptr;
  const char* texts_ = nullptr;
};

struct loaded_object {
  std::string name;   ///< as the linker has it: a path, or "" for the program
  ElfW(Addr) base{0}; ///< tells apart objects of one name
  friend bool operator==(const loaded_object&, const loaded_object&) = default;
};

struct loaded_list {
  loader_epoch epoch;
  std::vector<loaded_object> objects;
};

/// The objects that define one of these names. Threads: safe.
inline loaded_list list_objects_defining(std::span<const std::string> names) {
  struct search {
    std::span<const std::string> names;
    loaded_list list;
  };
  search looking{names, {}};
  ::dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void* state) {
        auto& [wanted, found] = *static_cast<search*>(state);
        found.epoch = {object->dlpi_adds, object->dlpi_subs};
        const defined_names defined(*object);
        if (std::ranges::any_of(wanted, [&](const std::string& name) { return defined.may_have(name); }))
          found.objects.push_back({object->dlpi_name, object->dlpi_addr});
        return 0;
      },
      &looking);
  return std::move(looking.list);
}

/// A loaded object that stays loaded as long as a copy of this lives, whoever calls dlclose.
/// Blocks: making one, while another thread is inside dlopen or dlclose.
class open_object {
 public:
  /// Empty where the object has gone meanwhile. Loads nothing.
  explicit open_object(const std::string& name)
      : handle_(::dlopen(name.empty() ? nullptr : name.c_str(), RTLD_LAZY | RTLD_NOLOAD), close) {
    if (handle_ && ::dlinfo(handle_.get(), RTLD_DI_LINKMAP, &map_) != 0) handle_.reset();
  }

  explicit operator bool() const { return handle_ != nullptr; }

  /// The function of that name which the object itself defines, not one of an object that it needs; else nullptr.
  template <class Function> Function* own(const std::string& name) const {
    void* const address = ::dlsym(handle_.get(), name.c_str());
    Dl_info place{};
    link_map* owner = nullptr;
    if (address == nullptr || ::dladdr1(address, &place, reinterpret_cast<void**>(&owner), RTLD_DL_LINKMAP) == 0)
      return nullptr;
    return owner == map_ ? reinterpret_cast<Function*>(address) : nullptr;
  }

  std::string file() const {
    if (*map_->l_name != '\0') return map_->l_name;
    std::error_code none;
    return std::filesystem::read_symlink("/proc/self/exe", none).string();
  }

 private:
  static void close(void* handle) {
    if (handle != nullptr) ::dlclose(handle);
  }

  std::shared_ptr<void> handle_;
  link_map* map_ = nullptr;
};

} // namespace lk::parallel::threads
