#pragma once

#include <functional>
#include <string>
#include <vector>

namespace cabinetfs::sandbox {

struct Request;
struct Response;

// Finds the handler of a request by method and path template ("/rest/folders/{id}/children"). Where
// several templates match, the one with a literal part at the first difference wins. A template
// that ends in "{path...}" takes any number of further parts, none too, which stay in `segments`;
// it is weaker than one without. Filled before the server starts, read by any thread then.
class Router {
 public:
  using Handler = std::function<Response(Request&)>;
  enum class Found { kYes, kNoPath, kNoMethod };

  void add(std::string method, const std::string& path_template, Handler handler);
  // Fills in `endpoint` and `params`; the handler is null unless kYes.
  Found find(Request& request, const Handler*& handler) const;

 private:
  struct Route {
    std::string method, endpoint;
    std::vector<std::string> parts;  // empty string: a parameter
    bool open_end = false;
    Handler handler;
  };
  std::vector<Route> routes_;
};

}  // namespace cabinetfs::sandbox
