#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "tools/sandbox/http/server.h"
#include "tools/sandbox/sandbox.h"

namespace cabinetfs::sandbox {

// The server of one vendor behind the HTTP shell.
class Vendor {
 public:
  virtual ~Vendor() = default;
  virtual const Application& application() const = 0;
  // For the routes of the shell; before the server starts.
  virtual Application& mutable_application() = 0;
  // The server listens there from now on.
  virtual void listening(const std::string& url) = 0;
  // A vendor whose content lives on a host of its own has a second listener; null: it has none.
  // It starts before the first one and listens at `url`.
  virtual const Application* content_application() const { return nullptr; }
  virtual void content_listening(const std::string& url) { static_cast<void>(url); }
  virtual Credentials make_credentials() = 0;
  virtual std::size_t skipped() const = 0;
  virtual std::filesystem::path spool_dir() const = 0;
  // After the server has stopped: everything into the state directory, if there is one.
  virtual void save() = 0;
};

// Throws std::runtime_error with a reason.
std::unique_ptr<Vendor> make_vendor(const Options& options);

}  // namespace cabinetfs::sandbox
