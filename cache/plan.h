#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cache/volume_core.h"

namespace cabinetfs {

// Between two tries of a change that failed.
constexpr std::chrono::seconds kLongestPause{300};

// What to do next about one unsent node.
struct Plan {
  enum class Action {
    kNothing,  // it is clean, or waits for a person
    kWait,     // until `at`
    kBlocked,  // until `blocker` has moved on
    kCreateFolder,
    kUpload,
    kRename,  // to `name`, in its folder
    kMove,    // to `folder`, with its name
    kRemoveFile,
    kRemoveFolder,
    kDescribe,
    kLook,    // a rename or move may have happened: where does it stand?
    kForget,  // deleted while nobody knew whether the server has it: look, then remove it or not
    kUnlock,  // the lock that a change needed is given back
    kDetach,  // a content that stands on a version which waits for it gets bytes of its own
  };
  Action action = Action::kNothing;
  NodePtr node;
  SteadyTime at{};
  InodeNumber blocker;
  std::string name;    // the server's spelling
  InodeNumber folder;  // kMove: the target, whose remote id is `folder_id`
  RemoteId folder_id;
};

std::string_view to_string(Plan::Action action);

// The order that the tree demands: a parent before its children, a name freed before it is taken, a
// circle of renames through a temporary name, a base version read before it is removed. Decides;
// sends nothing. Runs inside the caller's transaction, which it may change (identities that are
// handed on, rows of things that the server never had).
class Planner {
 public:
  explicit Planner(VolumeCore& core) : core_(core) {}

  Result<Plan> next(Tree::Txn& txn, InodeNumber ino);

 private:
  Result<Plan> decide(Tree::Txn& txn, InodeNumber ino);
  Result<Plan> plan_removal(Tree::Txn& txn, const NodePtr& node);
  Result<Plan> plan_creation(Tree::Txn& txn, const NodePtr& node);
  Result<Plan> plan_place(Tree::Txn& txn, const NodePtr& node);
  // kBlocked by who stands at this place on the server, kNothing when it is free.
  Result<Plan> place_free(Tree::Txn& txn, const NodePtr& node, InodeNumber folder,
                          const std::string& remote_name);
  // Who the node cannot go before. An approximation: too many do no harm.
  Result<std::vector<InodeNumber>> waits_for(Tree::Txn& txn, const NodeRecord& node);
  // `node` waits for `target`, directly or behind others.
  Result<bool> waits_behind(Tree::Txn& txn, const NodePtr& node, InodeNumber target);
  // A blocked node in whose place somebody waits that it waits for itself goes out of the way, to a
  // temporary name; every circle has such a one. Any other plan stays what it is.
  Result<Plan> out_of_the_way(Tree::Txn& txn, const NodePtr& node, Plan blocked);
  std::optional<SteadyTime> quiet_until(const NodeRecord& node) const;

  VolumeCore& core_;
};

// After a change that may have put a file at the place of a deleted one (save by rename, delete and
// create): the file that is shown there takes over the deleted one's identity at the server, so
// that the save becomes a new version. `deleted`: the node that is not shown any more. Inside the
// caller's transaction.
Result<void> hand_on_identity(VolumeCore& core, Tree::Txn& txn, InodeNumber deleted);

}  // namespace cabinetfs
