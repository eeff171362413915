#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cabinetfs {

// One step of a random play. What the numbers mean depends on the kind; every value is legal, so
// that a play stays a play when steps are taken out of it.
struct Step {
  enum class Kind : std::uint8_t {
    kSave,     // create or truncate, write, close
    kWriteAt,  // open, write somewhere, close
    kAppend,
    kTruncate,
    kSaveByRename,  // a temporary file renamed over the original
    kSaveByBackup,  // the original renamed away, made anew, backup deleted
    kRename,
    kExchange,
    kUnlink,
    kMkdir,
    kRmdir,
    kCopy,
    kAttributes,
    kOpen,  // keeps a handle
    kHandleWrite,
    kHandleFsync,
    kHandleFlush,
    kHandleClose,
    kPass,    // time
    kSettle,  // lets the reconciler work for a moment
    kDrain,
    kRestart,
    kFaults,
    kOffline,
    kHeal,
    kCompare,
    // By somebody else:
    kTheyWrite,
    kTheyRemove,
    kTheyRename,
    kTheyMove,
    kTheyMkdir,
    kCount,
  };
  Kind kind = Kind::kSave;
  std::uint8_t a = 0, b = 0;  // which path
  std::uint16_t n = 0;        // offsets, sizes
};

const char* name_of(Step::Kind kind);
std::string to_string(const Step& step);

// `count` steps of a seed; `others`: with a second writer.
std::vector<Step> steps_of(std::uint64_t seed, std::size_t count, bool others);

}  // namespace cabinetfs
