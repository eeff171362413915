#pragma once

#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace cabinetfs::sandbox::powerfolder {

// An answer other than success. The text is prose; `precondition` is the element of DAV: that says
// which condition failed, where the standard has one.
class HttpError : public std::exception {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;
  HttpError(int status, std::string message, std::string precondition = {}, Headers headers = {})
      : status_(status),
        message_(std::move(message)),
        precondition_(std::move(precondition)),
        headers_(std::move(headers)) {}
  const char* what() const noexcept override { return message_.c_str(); }
  int status() const { return status_; }
  const std::string& message() const { return message_; }
  const std::string& precondition() const { return precondition_; }
  const Headers& headers() const { return headers_; }

 private:
  int status_;
  std::string message_, precondition_;
  Headers headers_;
};

}  // namespace cabinetfs::sandbox::powerfolder
