#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace cabinetfs {

// One Kiteworks account, as far as its client needs to know it. Credentials are not here: the
// HttpClient that the store is made with adds them.
struct KiteworksConfig {
  // "https://content.example.com": scheme, host and port, with or without a slash at the end.
  std::string base_url;
  // Sent as X-Accellion-Version, and as X-Kiteworks-Version too unless told otherwise.
  std::string api_version = "28";
  bool both_version_headers = true;
  // Entries asked for in one page of a listing.
  std::uint64_t page_limit = 1000;
  // Wanted size of upload chunks, between 1 and 64 MiB; the server's own limit counts as well.
  std::uint64_t chunk_size = 32u << 20;
  // Largest content that goes in one request instead of a session. Such an upload cannot be
  // resumed, but is atomic and, for new files, exclusive.
  std::uint64_t put_max = 4u << 20;
  // Files that others share singly, beside the top folders in the root.
  bool shared_files_in_root = false;
  // New top folders: restricted ones, from which not everybody may download; and such as the
  // vendor's desktop client offers. What is false is left to the server. Folders below have no such
  // choice.
  bool secure_top_folders = false;
  bool syncable_top_folders = false;
  // Before another look, where a change may have happened.
  std::chrono::milliseconds second_look = std::chrono::milliseconds(700);
  // How long a session whose chunks are all there may take to become a file, before it is begun
  // again; nullopt: as the size wants.
  std::optional<std::chrono::milliseconds> assembly;
  // Small files of one bulk download; 0 = none.
  std::uint64_t bulk_read_max = 100;
};

}  // namespace cabinetfs
