#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace cabinetfs {

// One PowerFolder account, as far as its client needs to know it. Credentials are not here: the
// HttpClient that the store is made with adds them.
struct PowerFolderConfig {
  // "https://cloud.example.com": without /webdav.
  std::string server_url;
  // Who the credentials belong to, as the user wrote it.
  std::string user;
  // Empty: all folders of the account are the children of the root. Else this one is the root
  // itself; the safer choice for who works in one shared folder.
  std::string folder;
  // An access token of OAuth instead of user and password (or token).
  bool bearer = false;

  // A top-level folder is a shared unit with members and a quota, so by default nothing creates,
  // renames or removes one by accident.
  bool create_top_folders = false;
  bool rename_top_folders = false;
  enum class RemoveTop {
    kOff,
    kKeepData,  // for all members; the files stay on the server's disk
    kPurgeData  // the same, and the files are deleted
  };
  RemoveTop remove_top_folders = RemoveTop::kOff;

  // Names that differ only by case count as the same (servers on Windows).
  bool case_sensitive = true;
  bool locks = false;
  // How long what the server said of folders and rights is believed.
  std::chrono::seconds rights_fresh = std::chrono::minutes(1);
  // As in WebDavConfig.
  std::uint64_t put_max = 8u << 20;
  std::chrono::milliseconds second_look = std::chrono::milliseconds(700);
};

}  // namespace cabinetfs
