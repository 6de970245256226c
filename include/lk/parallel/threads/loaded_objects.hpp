// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <dlfcn.h>
#include <link.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

// What the dynamic linker has loaded, and the functions that an object defines by itself. It knows nothing of what the
// objects are for.
//
// Fork: dl_iterate_phdr takes a lock of the linker that glibc does not reset in the child (seen with 2.36; the sources
// up to 2.40 reset the two others only). A child forked while another thread of its parent walked or changed the list
// waits for ever at its first look, and at its first dlopen of something new just the same. So whoever forks has
// looked before; and a worker's zygote looks once before it says hello, so that such a child is given up as for any
// other lock that was copied while held.

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

struct loaded_object {
  std::string name;   ///< as the linker has it: a path, or "" for the program
  ElfW(Addr) base{0}; ///< tells apart objects of one name
  friend bool operator==(const loaded_object&, const loaded_object&) = default;
};

struct loaded_list {
  loader_epoch epoch;
  std::vector<loaded_object> objects;
};

/// Threads: safe.
inline loaded_list list_loaded_objects() {
  loaded_list list;
  ::dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void* state) {
        auto& found = *static_cast<loaded_list*>(state);
        found.epoch = {object->dlpi_adds, object->dlpi_subs};
        found.objects.push_back({object->dlpi_name, object->dlpi_addr});
        return 0;
      },
      &list);
  return list;
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
    void* const address = may_define(name) ? ::dlsym(handle_.get(), name.c_str()) : nullptr;
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
  // False where the Bloom filter of the object's own GNU hash table rules the name out, as it does for nearly all:
  // dlsym would search all that the object needs as well, some microseconds each. True where there is no such table.
  bool may_define(std::string_view name) const {
    const std::uint32_t* const table = gnu_hash_table();
    if (table == nullptr || table[2] == 0) return true;
    std::uint32_t hash = 5381;
    for (const char letter : name) hash = hash * 33 + static_cast<unsigned char>(letter);
    constexpr std::uint32_t n_bits = sizeof(ElfW(Addr)) * 8;
    const auto* const filter = reinterpret_cast<const ElfW(Addr)*>(table + 4);
    const ElfW(Addr) word = filter[hash / n_bits % table[2]];
    return (word >> (hash % n_bits) & word >> ((hash >> table[3]) % n_bits) & 1) != 0;
  }

  // Its four words of head: number of buckets, first symbol, words of the filter, shift of the filter's second bit.
  const std::uint32_t* gnu_hash_table() const {
    for (const ElfW(Dyn)* entry = map_->l_ld; entry->d_tag != DT_NULL; ++entry) {
      if (entry->d_tag != DT_GNU_HASH) continue;
      const ElfW(Addr) place = entry->d_un.d_ptr; // the linker has made it an address, but for some machines
      return reinterpret_cast<const std::uint32_t*>(place < map_->l_addr ? place + map_->l_addr : place);
    }
    return nullptr;
  }

  static void close(void* handle) {
    if (handle != nullptr) ::dlclose(handle);
  }

  std::shared_ptr<void> handle_;
  link_map* map_ = nullptr;
};

} // namespace lk::parallel::threads
