#pragma once

#include <string>
#include <string_view>

namespace cabinetfs {

// What went wrong, in terms that every layer shares. HTTP statuses and vendor codes become one of
// these in backend/, and fs/errno_map.cc turns them into an errno. Nothing in between looks at
// either.
enum class ErrorCode {
  kNotFound,      // positively gone: the server or the tree says that it does not exist
  kExists,        // the name is taken (compared as the remote compares names)
  kNotEmpty,      // a directory that still has children
  kIsDirectory,   // a file was needed
  kNotDirectory,  // a directory was needed
  kDenied,        // this account, or the file's mode, has no right
  kNotPermitted,  // nobody may do this to this object (system folders, links, devices)
  kReadOnly,      // old versions, control files, read-only mounts
  kBusy,          // locked by somebody, or in use in a way that forbids the call
  kTryAgain,      // will probably work later (virus scan still running)
  kConflict,      // the object is not the one that the request was made for
  kOverQuota,     // the account's or folder's quota
  kNoSpace,       // the server's pool or this disk is full
  kTooLarge,      // the file is larger than the remote takes
  kInvalid,       // a malformed value or name
  kNameTooLong,
  kNotSupported,     // the vendor or this filesystem cannot do it
  kNoData,           // no such attribute
  kRange,            // a caller's buffer is too small, or an offset does not exist
  kStale,            // the handle's version does not exist any more
  kUnauthenticated,  // no credentials, or they are dead: `cabinetfs login`
  kUnavailable,      // the remote could not be reached or is failing
  kTimeout,          // the deadline passed
  kCancelled,        // the caller gave up (Ctrl-C, unmount)
  kCorrupt,          // data that does not match what was asked for
  kWouldBlock,       // internal: the call needs the network and was told not to use it
  kIo,               // the local disk or database failed
  kInternal,         // a bug in this program
  // Numbers are stored: new ones go to the end.
  kCrossDevice,  // the remote cannot rename or move this: copy it and delete it
  // The server turns everything away, or is not to be trusted: its certificate, the licence, a
  // suspended tenant, the registration of this client. Says nothing about one object.
  kNoAccess,
};

// The name as it stands in logs, JSON and `user.cabinet.state`, such as "over-quota".
std::string_view to_string(ErrorCode code);
// The other way round; kInternal for a name that is none.
ErrorCode error_code_named(std::string_view name);

// `context` says what was tried, on which remote object, and what the server answered. It is shown
// to users and logged, so it never holds a secret.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string context;

  friend bool operator==(const Error&, const Error&) = default;
};

// "code: context", for messages.
std::string to_string(const Error& error);

// The answer of a change did not come: nobody knows whether it happened.
bool is_lost(const Error& error);

// Of a look after a change that the server has agreed to: no error of it says that nothing has
// happened.
Error after_change(Error error);

// The object that was asked for is not there any more. Where ids are places, something of the other
// kind may be.
bool is_gone(ErrorCode code);

// The remote as a whole does not serve this account for now; the object is not to blame.
bool is_unreachable(ErrorCode code);

// The change may succeed when repeated later without anybody doing something about it.
bool is_transient(ErrorCode code);

}  // namespace cabinetfs
