#include "backend/kiteworks/wire_json.h"

#include <charconv>
#include <cmath>
#include <unordered_set>

#include "backend/base/times.h"

namespace cabinetfs::kiteworks {
namespace {

// Real answers nest to about eight.
constexpr std::size_t kMaxDepth = 32;

// Every field that is read somewhere. A listing of 1,000 entries with permissions is some 5 MB,
// most of which nobody looks at; leaving it out while parsing makes large directories quick.
bool is_read(const std::string& key) {
  static const std::unordered_set<std::string> kRead = {
      "adminQuarantineStatus",
      "algo",
      "avStatus",
      "basedirId",
      "basedir_id",
      "clientCreated",
      "clientModified",
      "client_created",
      "client_modified",
      "code",
      "created",
      "creator",
      "data",
      "deleted",
      "description",
      "dlpStatus",
      "email",
      "error",
      "error_description",
      "errors",
      "event",
      "expire",
      "field",
      "file",
      "fileId",
      "file_id",
      "files",
      "fingerprint",
      "fingerprints",
      "finished",
      "folder",
      "folder_quota_allowed",
      "folder_quota_used",
      "folders",
      "group",
      "hash",
      "id",
      "lastModifiedBy",
      "lockUser",
      "locked",
      "message",
      "metadata",
      "mime",
      "modified",
      "modifier",
      "mydirId",
      "mydir_id",
      "name",
      "objectId",
      "parentId",
      "parent_folder",
      "parent_id",
      "permalink",
      "permissions",
      "replaceId",
      "role",
      "roleId",
      "role_id",
      "safeEdit",
      "safeEditLocked",
      "size",
      "source_folder",
      "destination_folder",
      "status",
      "successIds",
      "successful",
      "syncdirId",
      "syncdir_id",
      "tags",
      "total",
      "totalSize",
      "type",
      "uploadChunkMax",
      "uploadUrl",
      "uploadedChunks",
      "uploadedSize",
      "uri",
      "user",
      "userId",
      "user_id",
      "version",
      "versionNumber",
      "version_number",
      "versionsCount",
  };
  return kRead.count(key) != 0;
}

// Builds a document from parser events. Never throws; false ends the parsing.
class Builder : public nlohmann::json_sax<Json> {
 public:
  Json take() { return std::move(root_); }

  bool null() override { return scalar(Json()); }
  bool boolean(bool value) override { return scalar(Json(value)); }
  bool number_integer(number_integer_t value) override { return scalar(Json(value)); }
  bool number_unsigned(number_unsigned_t value) override { return scalar(Json(value)); }
  bool number_float(number_float_t value, const string_t&) override { return scalar(Json(value)); }
  bool string(string_t& value) override { return scalar(Json(std::move(value))); }
  bool binary(binary_t&) override { return false; }

  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool key(string_t& name) override {
    if (skipping_ > 0) return true;
    if (in_permissions()) {
      key_ = std::move(name);
      return true;
    }
    skip_next_ = !is_read(name);
    key_ = std::move(name);
    return true;
  }
  bool end_object() override {
    if (skipping_ == 0 && permission_depth_ != 0 && stack_.size() == permission_depth_) {
      // The end of one permission: it was not pushed on the stack.
      in_permission_ = false;
      if (permission_allowed_ && !permission_name_.empty()) {
        stack_.back()->push_back(std::move(permission_name_));
      }
      --depth_;
      return true;
    }
    return close();
  }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  bool in_permissions() const {
    return permission_depth_ != 0 && stack_.size() == permission_depth_;
  }

  Json* place(Json value) {
    if (stack_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Json& top = *stack_.back();
    if (top.is_array()) {
      top.push_back(std::move(value));
      return &top.back();
    }
    Json& slot = top[key_];
    slot = std::move(value);
    return &slot;
  }

  bool scalar(Json value) {
    if (skipping_ > 0) return true;
    if (in_permissions() && in_permission_) {
      if (key_ == "name" && value.is_string()) permission_name_ = value.get<std::string>();
      // Absent means allowed; so does anything but a clear no.
      if (key_ == "allowed") permission_allowed_ = flag_of(value).value_or(true);
      return true;
    }
    if (skip_next_) {
      skip_next_ = false;
      return true;
    }
    place(std::move(value));
    return true;
  }

  bool open(Json value) {
    if (++depth_ > kMaxDepth) return false;
    if (skipping_ > 0 || skip_next_) {
      skip_next_ = false;
      ++skipping_;
      return true;
    }
    if (in_permissions()) {
      if (in_permission_ || !value.is_object()) {
        ++skipping_;  // something inside a permission that nobody knows
      } else {
        in_permission_ = true;
        permission_name_.clear();
        permission_allowed_ = true;
      }
      return true;
    }
    const bool permissions =
        value.is_array() && !stack_.empty() && stack_.back()->is_object() && key_ == "permissions";
    stack_.push_back(place(std::move(value)));
    if (permissions) permission_depth_ = stack_.size();
    return true;
  }

  bool close() {
    --depth_;
    if (skipping_ > 0) {
      --skipping_;
      return true;
    }
    if (in_permissions()) permission_depth_ = 0;
    stack_.pop_back();
    return true;
  }

  Json root_;
  std::vector<Json*> stack_;  // pointers into root_; a parent never moves while a child is open
  std::string key_;
  std::size_t depth_ = 0;
  std::size_t skipping_ = 0;  // levels of a value that is left out
  bool skip_next_ = false;
  std::size_t permission_depth_ = 0;  // size of the stack inside a `permissions` array, else 0
  bool in_permission_ = false;
  std::string permission_name_;
  bool permission_allowed_ = true;
};

const Json& null_json() {
  static const Json kNull;
  return kNull;
}

template <class T>
std::optional<T> parse_decimal(const std::string& text) {
  T value{};
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end || text.empty()) return std::nullopt;
  return value;
}

}  // namespace

Result<Json> parse_document(std::string_view body) {
  Builder builder;
  if (!Json::sax_parse(body.begin(), body.end(), &builder)) {
    return fail(ErrorCode::kCorrupt, "answer is not JSON");
  }
  return builder.take();
}

const Json& member(const Json& json, const char* key) {
  if (!json.is_object()) return null_json();
  const auto found = json.find(key);
  return found == json.end() ? null_json() : *found;
}

const Json& member(const Json& json, std::initializer_list<const char*> keys) {
  for (const char* const key : keys) {
    const Json& found = member(json, key);
    if (!found.is_null()) return found;
  }
  return null_json();
}

std::string text_of(const Json& json) {
  if (json.is_string()) return json.get<std::string>();
  if (json.is_number_unsigned()) return std::to_string(json.get<std::uint64_t>());
  if (json.is_number_integer()) return std::to_string(json.get<std::int64_t>());
  return {};
}

std::optional<std::uint64_t> number_of(const Json& json) {
  if (json.is_number_unsigned()) return json.get<std::uint64_t>();
  if (json.is_number_integer()) {
    const auto value = json.get<std::int64_t>();
    return value < 0 ? std::nullopt : std::optional(static_cast<std::uint64_t>(value));
  }
  if (json.is_number_float()) {
    const auto value = json.get<double>();
    // 2^53: beyond it a float does not name one integer.
    if (!(value >= 0 && value <= 9007199254740992.0) || std::floor(value) != value) {
      return std::nullopt;
    }
    return static_cast<std::uint64_t>(value);
  }
  if (json.is_string()) return parse_decimal<std::uint64_t>(json.get_ref<const std::string&>());
  return std::nullopt;
}

std::optional<std::int64_t> signed_of(const Json& json) {
  if (json.is_number_integer() && !json.is_number_unsigned()) return json.get<std::int64_t>();
  if (json.is_string()) return parse_decimal<std::int64_t>(json.get_ref<const std::string&>());
  const auto value = number_of(json);
  if (!value || *value > static_cast<std::uint64_t>(INT64_MAX)) return std::nullopt;
  return static_cast<std::int64_t>(*value);
}

std::optional<bool> flag_of(const Json& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_float()) return json.get<double>() != 0;
  if (json.is_number()) return json != 0;
  if (json.is_string()) {
    const auto& text = json.get_ref<const std::string&>();
    if (text == "true" || text == "True" || text == "1") return true;
    if (text == "false" || text == "False" || text == "0" || text.empty()) return false;
  }
  return std::nullopt;
}

std::optional<WallTime> time_of(const Json& json) {
  if (!json.is_string()) return std::nullopt;
  return parse_rfc3339(json.get_ref<const std::string&>());
}

WireUser user_of(const Json& json) {
  if (!json.is_object()) return {text_of(json), {}, {}};
  return {text_of(member(json, {"id", "userId", "user_id"})), text_of(member(json, "name")),
          text_of(member(json, "email"))};
}

const std::string& WireUser::label() const {
  if (!email.empty()) return email;
  return name.empty() ? id : name;
}

Result<Envelope> envelope_of(const Json& json) {
  Envelope envelope;
  if (json.is_array()) {
    envelope.items = &json;
    return envelope;
  }
  const Json& data = member(json, "data");
  if (!data.is_array()) return not_understood("no list");
  envelope.items = &data;
  envelope.total = number_of(member(member(json, "metadata"), "total"));
  return envelope;
}

}  // namespace cabinetfs::kiteworks
