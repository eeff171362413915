#pragma once

#include <string.h>

#include <string>
#include <utility>

namespace cabinetfs {

// A secret that is wiped from memory when it goes away. Copies are wiped too; what reveal() is
// copied into is not.
class SecretString {
 public:
  SecretString() = default;
  explicit SecretString(std::string value) : value_(value) { wipe(value); }
  SecretString(const SecretString&) = default;
  SecretString(SecretString&& other) noexcept : value_(other.value_) { wipe(other.value_); }
  SecretString& operator=(const SecretString& other) {
    if (this != &other) {
      wipe(value_);
      value_ = other.value_;
    }
    return *this;
  }
  SecretString& operator=(SecretString&& other) noexcept {
    if (this != &other) {
      wipe(value_);
      value_.swap(other.value_);
    }
    return *this;
  }
  ~SecretString() { wipe(value_); }

  const std::string& reveal() const { return value_; }
  bool empty() const { return value_.empty(); }
  friend bool operator==(const SecretString& a, const SecretString& b) {
    return a.value_ == b.value_;
  }

  static void wipe(std::string& text) {
    if (!text.empty()) ::explicit_bzero(text.data(), text.size());
    text.clear();
  }

 private:
  std::string value_;
};

}  // namespace cabinetfs
