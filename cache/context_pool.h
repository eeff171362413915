#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace cabinetfs {

// Keyed contexts (cipher, hash) that are dear to set up, one for each thread that is at work at the
// same time, owned by the object that owns the key, so that they are wiped with it and not when a
// thread ends. Thread safe: a thread takes its usual slot, or the next free one; with more threads
// than slots, one more context is made for the call.
template <class Context>
class ContextPool {
 public:
  // `make` returns a std::unique_ptr<Context>.
  template <class Make, class Use>
  auto with(Make make, Use use) {
    static std::atomic<std::size_t> threads{0};
    thread_local const std::size_t home = threads++;
    for (std::size_t i = 0; i < kSlots; ++i) {
      Slot& slot = slots_[(home + i) % kSlots];
      if (slot.busy.test_and_set(std::memory_order_acquire)) continue;
      const Release release{slot};
      if (!slot.context) slot.context = make();
      return use(*slot.context);
    }
    return use(*make());
  }

 private:
  static constexpr std::size_t kSlots = 16;
  struct alignas(64) Slot {
    std::atomic_flag busy;
    std::unique_ptr<Context> context;  // guarded by `busy`
  };
  struct Release {
    Slot& slot;
    ~Release() { slot.busy.clear(std::memory_order_release); }
  };
  std::array<Slot, kSlots> slots_;
};

}  // namespace cabinetfs
