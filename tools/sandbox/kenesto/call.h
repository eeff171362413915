#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "tools/sandbox/http/message.h"
#include "tools/sandbox/http/server.h"
#include "tools/sandbox/kenesto/state.h"

namespace cabinetfs::sandbox::kenesto {

// The server refuses: an envelope with ErrorMessage.
class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The platform refuses before the vendor's code is reached: a page of HTML.
class Fault : public std::runtime_error {
 public:
  Fault(int status, const std::string& what) : std::runtime_error(what), status_(status) {}
  int status() const { return status_; }

 private:
  int status_;
};

// The token is not good (any more); how that looks is a setting.
class BadToken {};

// One request to KDocuments.svc being answered, under State::mutex. The member functions that look
// things up throw when the server would refuse.
struct Call {
  Request& request;
  State& state;
  const Settings& settings;
  User& user;
  const std::string& organization_id;
  const std::string& token;
  const Session& session;
  MutationCount* mutation = nullptr;

  // Query parameters; the spelling of a name does not matter. An empty one is an absent one.
  std::optional<std::string> arg(std::string_view name) const;
  std::string need_arg(std::string_view name) const;
  bool flag(std::string_view name) const;
  // Lower case; the zero GUID is none. Throws Fault for anything that is no GUID.
  std::optional<std::string> guid(std::string_view name) const;
  std::string need_guid(std::string_view name) const;
  std::string as_guid(const std::string& text) const;

  // The JSON object in the body, a member object, a text or boolean in it.
  nlohmann::json body() const;
  nlohmann::json member(const nlohmann::json& object, const char* name) const;
  std::string text(const nlohmann::json& object, const char* name, bool required) const;
  std::vector<std::string> guids(const nlohmann::json& object, const char* name) const;

  // What the user can see and has not been deleted.
  Node& folder(const std::optional<std::string>& id) const;  // none: the root
  Node& document(const std::string& id) const;
  Rights rights(const Node& node) const { return rights_of(user, node); }
  [[noreturn]] void denied() const;
  void need(bool allowed) const {
    if (!allowed) denied();
  }
  // Not checked out by another, not frozen.
  void need_unlocked(const Node& document) const;
  // For a new version: what the vault demands on top.
  void need_writable(const Node& document) const;
  std::string checked_name(std::string_view name) const;

  // Counts an attempt to change something; the effect is counted when the call succeeds.
  void mutates(const std::string& target);
};

// Puts the families of calls together.
class Api {
 public:
  // The ResponseData; null: there is none.
  using Function = std::function<nlohmann::json(Call&)>;
  struct Words {
    const char* ok;
    const char* fail;
  };

  Api(State& state, Application& application);
  // `words`: how the vendor's page spells the status of this call.
  void route(const char* method, const char* name, Words words, Function function);
  // A call that only the vendor's app is known to use.
  void undocumented(const char* method, const char* name, Function function);
  void plain(const char* method, const char* path_template, Router::Handler handler);
  State& state() { return state_; }
  // Folds the spellings of a path into one.
  void canonical(Request& request) const;

  // A JSON document as the settings want it.
  static Response json_response(const Settings& settings, const nlohmann::json& body,
                                int status = 200);
  static Response html(int status, const std::string& message);

 private:
  Response answer(const char* name, const Words& words, const Function& function, Request& request);
  Response run(const char* name, const Words& words, const Function& function, Request& request,
               const Settings& settings);
  static Response envelope(const Settings& settings, const Request& request, const char* status,
                           const nlohmann::json* data, const std::string* error, int http);

  State& state_;
  Application& application_;
  std::map<std::string, std::string> spellings_;  // lower case to canonical
};

// How the page spells the statuses.
constexpr Api::Words kFail = {"OK", "Fail"};           // calls 2, 7, 8
constexpr Api::Words kOkFail = {"ok", "Fail"};         // call 9
constexpr Api::Words kFailed = {"OK", "Failed"};       // calls 5, 6, 10, 12 to 14, 28
constexpr Api::Words kLowerFailed = {"ok", "failed"};  // calls 4, 16 to 23
constexpr Api::Words kUpper = {"OK", "FAILED"};        // the rest

void add_access_routes(Api& api);
void add_folder_routes(Api& api);
void add_listing_routes(Api& api);
void add_document_routes(Api& api);
void add_checkout_routes(Api& api);
void add_transfer_routes(Api& api);
void add_sharing_routes(Api& api);
void add_sequence_routes(Api& api);

}  // namespace cabinetfs::sandbox::kenesto
