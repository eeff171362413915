#pragma once

#include <map>
#include <random>
#include <string>

#include "cache/content.h"
#include "cache/meta_store.h"
#include "cache/sealer.h"
#include "cache/volume.h"

namespace cabinetfs {

// One thing that the child does; told over the pipe before and after, on one line.
struct CrashOp {
  enum class Kind { kSave, kFsyncedSave, kSaveByRename, kAppend, kRename, kUnlink, kMkdir, kRmdir };
  Kind kind = Kind::kSave;
  std::string path, other, text;

  std::string line() const;  // without a line's end
  static CrashOp parse(const std::string& line);
};

// Path -> content, "/" for a folder.
using CrashTree = std::map<std::string, std::string>;

// A legal next step on that tree; `number` makes its content unlike any other.
CrashOp next_op(std::mt19937& random, const CrashTree& tree, std::uint64_t number);
void apply_op(const CrashOp& op, CrashTree& tree);

// The state of one mount in a directory.
struct CrashStores {
  std::unique_ptr<Sealer> sealer;
  std::unique_ptr<MetaStore> meta;
  std::unique_ptr<ContentStore> contents;
  std::unique_ptr<Volume> volume;

  static CrashStores open(const std::string& dir, RemoteStore& remote,
                          const std::string& root_path);
  CrashTree tree();
  Result<std::string> text_of(InodeNumber ino);
  // kRefused: the server cannot rename it, and nothing has changed. kFailed: which it must not.
  enum class Done { kDone, kRefused, kFailed };
  Done perform(const CrashOp& op);
};

// The life of a child: works until it is killed. Reports each operation before ('?') and after
// ('!', or '-' where it was refused).
struct CrashChild {
  std::string world;  // as in crash_world.h
  std::string dir;    // of its state; in its file "address" is how it gets to the server
  std::string root_path;
  unsigned seed = 0;
  int remote_socket = -1, report_pipe = -1;
  std::string kill_at;  // the name of a sync point, empty = none,
  int kill_after = 0;   // and dies there when it comes by for that time
};
int crash_child(const CrashChild& with);

}  // namespace cabinetfs
