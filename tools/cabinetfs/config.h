#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "backend/base/result.h"
#include "tools/cabinetfs/options.h"

namespace cabinetfs {

// One [remote.NAME] of config.toml: its values as text, in the order of the file.
struct RemoteConfig {
  std::string name;
  std::vector<std::pair<std::string, std::string>> values;
};

// The configuration file. Reading checks all of it: kInvalid names the file, the line, the option
// and the nearest name that would have been right. A file that does not exist is an empty
// configuration. Credentials do not belong here: a key that looks like one is refused.
class Config {
 public:
  static Result<Config> load(const std::string& file);
  static Result<Config> parse(const std::string& text, const std::string& file_name);

  const std::vector<RemoteConfig>& remotes() const { return remotes_; }
  // kInvalid with the nearest name, or with what to do when there is none at all.
  Result<const RemoteConfig*> find(const std::string& name) const;
  // Defaults, then what the remote's section says. Files count from the configuration's directory.
  Result<Options> options_for(const std::string& name, Options defaults = {}) const;

 private:
  std::string directory_;
  std::vector<RemoteConfig> remotes_;
};

// Letters, digits, '-', '_' and '.', not beginning with a dot or dash.
bool is_remote_name(const std::string& name);

// Both edit the text of the file and leave the rest of it, comments included, as it is; written
// atomically, and only when the result reads back right. One process at a time: kBusy when another
// does not come to an end.
Result<void> add_remote(const std::string& file, const RemoteConfig& remote);
Result<void> remove_remote(const std::string& file, const std::string& name);

}  // namespace cabinetfs
