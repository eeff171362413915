#include "tools/sandbox/kenesto/service.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tools/sandbox/kenesto/admin.h"
#include "tools/sandbox/kenesto/call.h"
#include "tools/sandbox/kenesto/shared.h"
#include "tools/sandbox/kenesto/snapshot.h"
#include "tools/sandbox/kenesto/store.h"

namespace cabinetfs::sandbox::kenesto {
namespace {

using nlohmann::json;

// Without a users file. The first user is in two organizations; the other of them has a user whose
// shares come from outside.
json default_users() {
  return {{"organizations", {{{"name", "Sandbox"}}, {{"name", "Partner"}}}},
          {"users",
           {{{"email", "alice@example.com"},
             {"name", "Alice Adams"},
             {"organizations", {"Sandbox", "Partner"}}},
            {{"email", "bob@example.com"}, {"name", "Bob Brown"}, {"organizations", {"Sandbox"}}},
            {{"email", "carol@partner.example"},
             {"name", "Carol Clark"},
             {"organizations", {"Partner"}}}}}};
}

class Service : public Vendor {
 public:
  explicit Service(const Options& options)
      : state_dir_(options.state_dir), api_(state_, application_) {
    make_directory();
    try {
      const bool restored = !state_dir_.empty() && load_state(state_, state_dir_);
      if (!options.settings.empty()) state_.settings.change(json::parse(options.settings));
      if (!restored) {
        set_up_users(options.users.empty() ? default_users() : json::parse(options.users));
        if (!options.root.empty()) skipped_ = load_directory(state_, options.root);
      }
    } catch (const json::exception& error) {
      throw std::runtime_error(error.what());
    } catch (const std::invalid_argument& error) {
      throw std::runtime_error(error.what());
    }
    finish_setup();
  }

  ~Service() override {
    if (!state_dir_.empty()) return;
    std::error_code ignored;  // a directory in /tmp that cannot be removed harms nobody
    std::filesystem::remove_all(state_.content_dir, ignored);
  }

  const Application& application() const override { return application_; }
  Application& mutable_application() override { return application_; }
  const Application* content_application() const override { return &store_; }
  void listening(const std::string& url) override {
    const std::lock_guard lock(state_.mutex);
    state_.base_url = url;
  }
  void content_listening(const std::string& url) override {
    const std::lock_guard lock(state_.mutex);
    state_.content_url = url;
  }
  std::size_t skipped() const override { return skipped_; }
  std::filesystem::path spool_dir() const override { return state_.content_dir; }

  Credentials make_credentials() override {
    const std::lock_guard lock(state_.mutex);
    Credentials out;
    out.client_secret = state_.access_key;
    for (const auto& user : state_.users) {
      if (user->organizations.empty()) continue;
      const std::string token =
          state_.add_session({SessionKind::kSession, user->id, user->organizations.front(), {}, 0},
                             state_.settings.get()->access_lifetime);
      out.users.push_back({user->email, user->password, token, {}});
    }
    return out;
  }

  void save() override {
    const std::lock_guard lock(state_.mutex);
    if (!state_dir_.empty()) save_state(state_, state_dir_);
  }

 private:
  void make_directory() {
    if (!state_dir_.empty()) {
      state_.content_dir = state_dir_ / "content";
      std::filesystem::create_directories(state_.content_dir);
      return;
    }
    std::string name =
        (std::filesystem::temp_directory_path() / "cabinetfs-sandbox-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
      throw std::runtime_error(fmt::format("cannot make {}: {}", name, std::strerror(errno)));
    }
    state_.content_dir = name;
  }

  void set_up_users(const json& described) {
    state_.access_key = described.value("access_key", random_hex(16));
    int tenant = 3;
    const json organizations =
        described.value("organizations", json::array({{{"name", "Sandbox"}}}));
    for (const json& organization : organizations) {
      const std::string name = organization.at("name");
      state_.organizations.push_back({stable_id("organization " + name), name, tenant++});
    }
    if (state_.organizations.empty()) throw std::runtime_error("there is no organization");
    for (const json& user : described.at("users")) {
      const std::string email = user.at("email");
      std::vector<std::string> ids;
      for (const json& name : user.value("organizations", json::array())) {
        const Organization* known = state_.find_organization(name.get<std::string>());
        if (known == nullptr) throw std::runtime_error("no organization " + name.dump());
        ids.push_back(known->id);
      }
      if (ids.empty()) ids.push_back(state_.organizations.front().id);
      // A password that does not survive a query string unless it is encoded.
      const std::string password = user.value("password", random_hex(8) + "+&=% #\xC3\xA9");
      User& added = state_.add_user(email, user.value("name", email), password, ids);
      added.quota = user.value("quota", std::int64_t{0});
    }
    if (state_.users.empty()) throw std::runtime_error("there must be at least one user");
  }

  void finish_setup() {
    add_access_routes(api_);
    add_folder_routes(api_);
    add_listing_routes(api_);
    add_document_routes(api_);
    add_checkout_routes(api_);
    add_transfer_routes(api_);
    add_sharing_routes(api_);
    add_sequence_routes(api_);
    add_admin_routes(state_, application_.admin);
    application_.prepare = [this](Request& request) { api_.canonical(request); };
    application_.identify = [this](const Request& request) { return identify(request); };
    application_.tuning = [this] { return tuning(true); };
    application_.throttled = [this] { return throttled(); };
    application_.not_routed = [](Router::Found found) {
      return found == Router::Found::kNoPath ? Api::html(404, "Endpoint not found.")
                                             : Api::html(405, "Method not allowed.");
    };
    application_.failed = [](const std::string& what) {
      fmt::print(stderr, "cabinetfs-sandbox: {}\n", what);
      return Api::html(500, "The server encountered an error processing the request.");
    };
    add_store_routes(state_, store_);
    store_.tuning = [this] { return tuning(false); };
  }

  std::string identify(const Request& request) {
    const std::lock_guard lock(state_.mutex);
    const Session* session = state_.find_session(request.arg_or("t", ""));
    const User* user =
        state_.find_user(session == nullptr ? request.arg_or("u", "") : session->user_id);
    return user == nullptr ? std::string() : user->email;
  }

  // The limit of requests is the API's; the line is the same for both.
  LineTuning tuning(bool limited) const {
    const auto settings = state_.settings.get();
    LineTuning out;
    out.latency = std::chrono::milliseconds(settings->latency_ms);
    out.bandwidth = settings->bandwidth;
    out.bandwidth_total = settings->bandwidth_total;
    if (limited) out.rate = {settings->rate, settings->rate_burst, settings->rate_queue};
    return out;
  }

  Response throttled() const {
    const auto settings = state_.settings.get();
    Response response = Api::html(static_cast<int>(settings->rate_status), "Too many requests");
    if (settings->rate_status != 403) {
      response.headers.emplace_back("Retry-After", std::to_string(settings->retry_after));
    }
    return response;
  }

  const std::filesystem::path state_dir_;
  State state_;
  Application application_, store_;
  Api api_;
  std::size_t skipped_ = 0;
};

}  // namespace

std::unique_ptr<Vendor> make_service(const Options& options) {
  return std::make_unique<Service>(options);
}

}  // namespace cabinetfs::sandbox::kenesto
