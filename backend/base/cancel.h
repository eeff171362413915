#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "backend/base/clock.h"

namespace cabinetfs {

namespace internal {
struct CancelState;
}

// The reading end of a cancellation: copied into whatever should stop. A default one is never
// cancelled. Thread safe.
class CancelToken {
 public:
  CancelToken() = default;

  bool cancelled() const;

  // Calls back once, when cancelled (at once if that has happened), on the cancelling thread. The
  // callback must not block. The registration ends with the returned handle; its destructor waits
  // for a callback that is running elsewhere.
  class Registration {
   public:
    Registration() = default;
    Registration(Registration&& other) noexcept;
    Registration& operator=(Registration&& other) noexcept;
    ~Registration();

   private:
    friend class CancelToken;
    Registration(std::shared_ptr<internal::CancelState> state, std::uint64_t id);
    void reset();
    std::shared_ptr<internal::CancelState> state_;
    std::uint64_t id_ = 0;
  };
  [[nodiscard]] Registration on_cancel(std::function<void()> callback) const;

 private:
  friend class CancelSource;
  explicit CancelToken(std::shared_ptr<internal::CancelState> state) : state_(std::move(state)) {}
  std::shared_ptr<internal::CancelState> state_;
};

// The writing end. Copies share one state. Thread safe.
class CancelSource {
 public:
  CancelSource();
  void cancel();
  CancelToken token() const { return CancelToken(state_); }

 private:
  std::shared_ptr<internal::CancelState> state_;
};

}  // namespace cabinetfs
