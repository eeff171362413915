#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/model/model_steps.h"
#include "tests/unit/cache/tree/volume_harness.h"

namespace cabinetfs {

// Plays steps against a volume and, beside it, against a map from path to content; compares what
// is shown, and in the end what the server has.
//
// Alone, every result and every content is predicted. With a second writer, what is promised is:
// everything that was closed here is found at the server in the end, current, as an older version
// or as a conflict copy, unless it was replaced or deleted here or by the other; and mount and
// server agree.
class ModelPlayer {
 public:
  // `path_ids`: against a store whose ids are paths.
  ModelPlayer(std::uint64_t seed, bool others, bool path_ids = false);
  ~ModelPlayer();

  // Nothing: all is well. Else what is wrong.
  std::optional<std::string> play(const std::vector<Step>& steps);

 private:
  struct File {
    std::string shown;      // with what handles wrote
    std::string committed;  // what a crash leaves
  };
  struct Node {
    std::shared_ptr<File> file;  // null: a folder
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

  // The paths of this play: three levels of a few names.
  static std::string path_of(std::uint8_t number);
  static std::string parent_of(const std::string& path);
  bool is_folder(const std::string& path) const;
  bool is_file(const std::string& path) const;
  bool has_children(const std::string& path) const;
  bool writers_on(const std::shared_ptr<File>& file) const;
  std::string fresh_text(std::uint16_t n);
  void wrong(const std::string& what);
  // The call must have done what the model says; `expected` nullopt: succeeded.
  bool check(const std::string& what, const Result<void>& got, std::optional<ErrorCode> expected);
  void commit(File& file);
  void write_whole(const std::string& path, const std::string& text);
  void forget_tree(const std::string& path);
  void move_tree(const std::string& from, const std::string& to);
  void rename(const std::string& from, const std::string& to, bool exchange);
  void compare(bool in_the_end);
  void drop_handles();
  void note_dropped(const std::string& path);
  void after_content(const std::string& path, const std::string& text);

  const bool others_;
  std::unique_ptr<VolumeHarness> h_;
  std::map<std::string, Node> model_;  // alone: the truth
  std::vector<Handle> handles_;
  std::set<std::string> committed_;           // every content that was ever closed or fsynced here
  std::map<std::string, std::string> acked_;  // with others: path -> content
  std::set<std::string> dropped_;             // replaced or deleted here
  std::set<std::string> removed_by_them_;     // remote ids
  bool faulty_ = false;
  std::uint64_t next_text_ = 1;
  std::uint64_t seed_;
  std::string trace_;
  std::string wrong_;
};

}  // namespace cabinetfs
