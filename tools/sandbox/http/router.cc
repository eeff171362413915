#include "tools/sandbox/http/router.h"

#include <utility>

#include "tools/sandbox/http/message.h"

namespace cabinetfs::sandbox {

void Router::add(std::string method, const std::string& path_template, Handler handler) {
  Route route;
  route.endpoint = method + " " + path_template;
  route.method = std::move(method);
  for (const std::string& part : split_path(path_template)) {
    route.parts.push_back(part.front() == '{' ? std::string() : part);
    route.open_end = part == "{path...}";
  }
  if (route.open_end) route.parts.pop_back();
  route.handler = std::move(handler);
  routes_.push_back(std::move(route));
}

Router::Found Router::find(Request& request, const Handler*& handler) const {
  handler = nullptr;
  const Route* best = nullptr;
  bool path_known = false;
  for (const Route& route : routes_) {
    if (route.open_end ? route.parts.size() > request.segments.size()
                       : route.parts.size() != request.segments.size()) {
      continue;
    }
    bool matches = true;
    bool better = best == nullptr;
    bool decided = best == nullptr;
    if (!decided && (route.open_end || best->open_end)) {
      better = best->open_end && (!route.open_end || route.parts.size() > best->parts.size());
      decided = true;
    }
    for (std::size_t i = 0; i < route.parts.size() && matches; ++i) {
      const std::string& part = route.parts[i];
      matches = part.empty() || part == request.segments[i];
      if (!decided && part.empty() != best->parts[i].empty()) {
        better = !part.empty();
        decided = true;
      }
    }
    if (!matches) continue;
    path_known = true;
    if (route.method == request.method && better) best = &route;
  }
  if (best == nullptr) return path_known ? Found::kNoMethod : Found::kNoPath;
  request.endpoint = best->endpoint;
  request.params.clear();
  for (std::size_t i = 0; i < best->parts.size(); ++i) {
    if (best->parts[i].empty()) request.params.push_back(request.segments[i]);
  }
  handler = &best->handler;
  return Found::kYes;
}

}  // namespace cabinetfs::sandbox
