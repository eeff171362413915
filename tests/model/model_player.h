#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/model/model_server.h"
#include "tests/model/model_steps.h"
#include "tests/model/model_world.h"
#include "tests/unit/cache/tree/volume_harness.h"

namespace cabinetfs {

// Plays steps against a volume and, beside it, against a map from path to content; compares what
// is shown, and in the end what the server has.
//
// Alone, every result and every content is predicted, by what the store's capabilities say: a place
// that the server cannot give is kCrossDevice, and a lock that a write needs may want the network.
// With a second writer, what is promised is:
// everything that was closed here is found at the server in the end, current, as an older version
// or as a conflict copy, unless it was replaced or deleted here or by the other; and mount and
// server agree.
class ModelPlayer {
 public:
  explicit ModelPlayer(PlayOptions options);
  ~ModelPlayer();

  // Nothing: all is well. Else what is wrong.
  std::optional<std::string> play(const std::vector<Step>& steps);

 private:
  using Kind = Step::Kind;
  struct File {
    std::string shown;      // with what handles wrote
    std::string committed;  // what a crash leaves
  };
  struct Node {
    std::shared_ptr<File> file = {};  // null: a folder
    // How often time had passed when it was made.
    std::uint64_t born = 0;
  };
  struct Handle {
    std::shared_ptr<OpenFile> open;
    std::shared_ptr<File> file;
    InodeNumber ino;
  };

  void step(const Step& step);
  void local(const Step& step);
  void handles(const Step& step);
  void world(const Step& step);
  void they(const Step& step);
  void finish();
  void heal();
  void compare_with_server();
  void look_at_versions();
  std::string what_is_left() const;

  static bool is_network(ErrorCode code) {
    return code == ErrorCode::kUnavailable || code == ErrorCode::kTimeout;
  }
  // Failures that a call may have by what the server is like, and that change nothing.
  struct Allowed {
    bool network;       // while there are faults
    bool cross_device;  // kCrossDevice
  };

  // The paths of this play: three levels of a few names.
  std::string path_of(std::uint8_t number) const;
  static std::string parent_of(const std::string& path);
  bool is_folder(const std::string& path) const;
  bool is_file(const std::string& path) const;
  bool has_children(const std::string& path) const;
  bool writers_on(const std::shared_ptr<File>& file) const;
  std::string fresh_text(std::uint16_t n);
  void wrong(const std::string& what);
  // The call must have done what the model says; `expected` nullopt: succeeded.
  bool check(const std::string& what, const Result<void>& got, std::optional<ErrorCode> expected,
             Allowed allowed = {});
  const Capabilities& able() const { return h_->faulty.capabilities(); }
  // New content may need the server's lock, and so the network.
  bool needs_lock(InodeNumber ino) const;
  bool needs_lock(const std::string& path) { return needs_lock(h_->must(path)); }
  // The server cannot take the object from one place to the other.
  bool cannot_go(const std::string& from, const std::string& to) const;
  // The server has certainly never heard of it.
  bool is_only_here(const std::string& path);
  void commit(File& file);
  bool write_whole(const std::string& path, const std::string& text);
  void forget_tree(const std::string& path);
  void move_tree(const std::string& from, const std::string& to);
  // False: nothing has changed.
  bool rename(const std::string& from, const std::string& to, bool exchange);
  // What `mv` does where a rename is not possible; another text, so that each is seen once.
  void copy_and_remove(const std::string& from, const std::string& to, std::uint16_t n);
  void compare(bool in_the_end);
  void drop_handles();
  void note_dropped(const std::string& path);
  void after_content(const std::string& path, const std::string& text);

  const PlayOptions options_;
  const bool others_;
  std::unique_ptr<VolumeHarness> h_;
  std::shared_ptr<ModelServer> server_;
  std::map<std::string, Node> model_;  // alone: the truth
  std::vector<Handle> handles_;
  std::set<std::string> committed_;           // every content that was ever closed or fsynced here
  std::map<std::string, std::string> acked_;  // with others: path -> content
  std::set<std::string> dropped_;             // replaced or deleted here
  bool faulty_ = false;
  bool cross_device_ = false;  // that was the last rename's answer
  std::uint64_t passed_ = 0;   // how often time has passed
  std::uint64_t next_text_ = 1;
  std::uint64_t seed_;
  std::string trace_;
  std::string wrong_;
};

}  // namespace cabinetfs
