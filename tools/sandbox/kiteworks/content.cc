#include "tools/sandbox/kiteworks/content.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "tools/sandbox/http/blob.h"
#include "tools/sandbox/kiteworks/call.h"
#include "tools/sandbox/kiteworks/ops.h"
#include "tools/sandbox/kiteworks/zip.h"

// Downloads: content, ranges, links, zip.

namespace cabinetfs::sandbox::kiteworks {
namespace {

using nlohmann::json;

class BlobBody : public BodySource {
 public:
  BlobBody(std::shared_ptr<const Blob> blob, std::int64_t begin, std::int64_t size)
      : reader_(std::move(blob)), begin_(begin), size_(size) {}
  std::int64_t size() const override { return size_; }
  std::size_t read(std::int64_t offset, char* buffer, std::size_t count) override {
    count = std::min(count, static_cast<std::size_t>(size_ - offset));
    return count == 0 ? 0 : reader_.read(begin_ + offset, buffer, count);
  }

 private:
  const BlobReader reader_;
  const std::int64_t begin_, size_;
};

struct Range {
  std::int64_t first = 0, last = 0;
};

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size())
    return std::nullopt;
  return value;
}

// Nothing if the header is not a single byte range, which is then ignored as HTTP wants it. first >
// last if it cannot be satisfied.
std::optional<Range> parse_range(std::string_view header, std::int64_t size) {
  if (header.rfind("bytes=", 0) != 0) return std::nullopt;
  header.remove_prefix(6);
  const auto dash = header.find('-');
  if (dash == std::string_view::npos || header.find(',') != std::string_view::npos)
    return std::nullopt;
  const auto first = number(header.substr(0, dash));
  const auto last = number(header.substr(dash + 1));
  if (dash == 0) {  // the last so many bytes
    if (!last) return std::nullopt;
    return Range{*last == 0 ? size : std::max<std::int64_t>(size - *last, 0), size - 1};
  }
  if (!first || (!last && dash + 1 != header.size()) || (last && *last < *first))
    return std::nullopt;
  return Range{*first, std::min(last.value_or(size - 1), size - 1)};
}

}  // namespace

Response send_blob(const Request& request, std::shared_ptr<const Blob> blob,
                   const std::string& name) {
  const std::int64_t size = blob->size();
  Response response;
  response.headers.emplace_back("Content-Type", "application/octet-stream");
  response.headers.emplace_back("Accept-Ranges", "bytes");
  response.headers.emplace_back(
      "Content-Disposition", fmt::format("attachment; filename*=UTF-8''{}", percent_encode(name)));
  Range range{0, size - 1};
  if (const auto wanted = parse_range(request.header("range"), size)) {
    range = *wanted;
    if (range.first > range.last || range.first >= size) {
      response.status = 416;
      response.headers.emplace_back("Content-Range", fmt::format("bytes */{}", size));
      return response;
    }
    response.status = 206;
    response.headers.emplace_back("Content-Range",
                                  fmt::format("bytes {}-{}/{}", range.first, range.last, size));
  }
  response.source =
      std::make_shared<BlobBody>(std::move(blob), range.first, range.last - range.first + 1);
  return response;
}

namespace {

void check_download(const Call& call, const Node& file, const Version& version) {
  call.need(file, "download");
  for (const Node* at = file.parent; at != nullptr; at = at->parent) {
    if (at->secure && call.state.tree.role(call.user, file) != Role::kOwner) {
      throw ApiError(403, "ERR_ENTITY_IS_SECURE_FOLDER", "The folder is restricted");
    }
  }
  call.check_scan(file, version);
}

Response download(Call& call, Node& file, std::size_t index) {
  const Version& version = file.versions[index];
  check_download(call, file, version);
  // One event per download, not one per range.
  const std::string_view range = call.request.header("range");
  if (call.settings.log_downloads && (range.empty() || range.rfind("bytes=0-", 0) == 0)) {
    record(call.state, call.user, "download", file);
  }
  return send_blob(call.request, version.blob, version.name);
}

Response content(Call& call) {
  Node& file = call.file(call.param(0));
  return download(call, file, file.versions.size() - 1);
}

std::size_t version_index(const Call& call, const Node& file, std::string_view id) {
  for (std::size_t i = 0; i < file.versions.size(); ++i) {
    if (file.versions[i].id == id) return i;
  }
  call.missing();
}

Response version_content(Call& call) {
  Node& file = call.file(call.param(0));
  const std::size_t index = version_index(call, file, call.param(1));
  const Role role = call.state.tree.role(call.user, file);
  const bool only_current =
      role == Role::kViewer || role == Role::kDownloader || role == Role::kFileViewer;
  if (only_current && index + 1 != file.versions.size()) {
    throw ApiError(403, "ERR_ACCESS_USER", "Insufficient access permissions");
  }
  return download(call, file, index);
}

Response make_link(Call& call) {
  const json body = call.body();
  json links = json::array();
  const auto add = [&](const std::string& file_id, const std::string& version_id) {
    const Node& file = call.file(file_id);
    const std::size_t index =
        version_id.empty() ? file.versions.size() - 1 : version_index(call, file, version_id);
    check_download(call, file, file.versions[index]);
    const std::string ref = call.state.new_id();
    call.state.links[ref] = {file.id, file.versions[index].id};
    links.push_back("rest/files/actions/content/link/" + ref);
  };
  if (const auto id = Call::text(body, "fileId")) {
    add(*id, Call::text(body, "versionId").value_or(""));
  } else if (body.contains("fileIds") && body.at("fileIds").is_array() &&
             body.at("fileIds").size() <= 1000) {
    for (const json& file_id : body.at("fileIds")) add(file_id.get<std::string>(), "");
  } else {
    throw ApiError(422, "ERR_INVALID_PARAMETER", "fileId is required", "fileId");
  }
  return call.reply(200, {{"downloadLinks", links}});
}

Response follow_link(Call& call) {
  const auto found = call.state.links.find(call.param(0));
  if (found == call.state.links.end()) call.missing();
  Node& file = call.file(found->second.file_id);
  // A link is not for ranges, so the whole content is the answer to anything.
  const std::size_t index = version_index(call, file, found->second.version_id);
  check_download(call, file, file.versions[index]);
  call.request.headers.erase("range");
  return download(call, file, index);
}

// The files of a zip request, with their names inside the archive.
std::vector<ZipEntry> zip_entries(Call& call) {
  std::vector<ZipEntry> entries;
  std::set<std::string> names;
  const auto add = [&](const Node& file, const std::string& name) {
    check_download(call, file, file.current());
    std::string unique = name;
    for (int n = 2; !names.insert(unique).second; ++n) unique = fmt::format("{} ({})", name, n);
    const Version& version = file.current();
    entries.push_back({unique, version.blob, version.client_modified.value_or(file.modified)});
  };
  const std::function<void(const Node&, const std::string&)> walk = [&](const Node& folder,
                                                                        const std::string& path) {
    entries.push_back({path + "/", nullptr, folder.modified});
    for (const Node* child : folder.folders) walk(*child, path + "/" + child->name);
    for (const Node* child : folder.files) add(*child, path + "/" + child->name);
  };
  for (const char* key : {"fileId:in", "folderId:in"}) {
    if (!call.request.arg(key)) continue;
    for (const std::string& id : call.ids(json::object(), key)) {
      if (std::string_view(key) == "fileId:in") {
        const Node& file = call.file(id);
        add(file, file.name);
      } else {
        const Node& folder = call.folder(id);
        walk(folder, folder.name);
      }
    }
  }
  if (entries.empty())
    throw ApiError(422, "ERR_INVALID_PARAMETER", "fileId:in or folderId:in is required",
                   "fileId:in");
  return entries;
}

Response zip(Call& call) {
  if (!call.settings.zip_enabled) throw ApiError(403, "ERR_ACCESS_DENIED", "Not available");
  Response response;
  response.headers.emplace_back("Content-Type", "application/zip");
  response.headers.emplace_back("Content-Disposition", "attachment; filename=\"download.zip\"");
  response.source = make_zip(zip_entries(call));
  return response;
}

Response zip_status(Call& call) {
  if (!call.settings.zip_enabled) throw ApiError(403, "ERR_ACCESS_DENIED", "Not available");
  static_cast<void>(zip_entries(call));
  return Response{};
}

}  // namespace

void add_content_routes(Api& api) {
  api.route("GET", "/rest/files/{id}/content", content);
  api.route("GET", "/rest/files/{id}/versions/{vid}/content", version_content);
  api.route("POST", "/rest/files/actions/downloadLink", make_link);
  api.route("GET", "/rest/files/actions/content/link/{ref}", follow_link);
  api.route("GET", "/rest/files/actions/zip", zip);
  api.route("GET", "/rest/files/actions/zipStatus", zip_status);
}

}  // namespace cabinetfs::sandbox::kiteworks
