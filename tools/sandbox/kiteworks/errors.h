#pragma once

#include <exception>
#include <string>
#include <utility>

namespace cabinetfs::sandbox::kiteworks {

// A refusal, thrown where it is found and turned into an answer in one place, Api::route().
class ApiError : public std::exception {
 public:
  ApiError(int status, std::string code, std::string message, std::string field = {})
      : status_(status),
        code_(std::move(code)),
        message_(std::move(message)),
        field_(std::move(field)) {}
  const char* what() const noexcept override { return message_.c_str(); }
  int status() const { return status_; }
  const std::string& code() const { return code_; }
  const std::string& message() const { return message_; }
  const std::string& field() const { return field_; }

 private:
  int status_;
  std::string code_, message_, field_;
};

}  // namespace cabinetfs::sandbox::kiteworks
