#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/result.h"

namespace cabinetfs::kiteworks {

// What is known of the server's habit of paging at one endpoint. Thread safe.
struct PageMemory {
  // The server never sends more than this, whatever is asked; 0 = not known.
  std::atomic<std::uint64_t> cap{0};
  // A list without a total that had so many entries on its only page was complete: shorter pages
  // need no second look.
  std::atomic<std::uint64_t> proven{0};
};

// One page as it came: a key (id) for each entry.
struct Page {
  std::vector<std::string> keys;
  std::optional<std::uint64_t> total;
};

// Reads a list page by page until it is complete. Paging by offset shifts when entries come or go
// meanwhile; so each page begins with the last entry of the one before, and a page that does not, a
// total that changes, or an entry that comes twice starts the list anew. `fetch` stores the entries
// of a page itself, `restart` throws them away. Complete, or an error: kUnavailable when the list
// would not stand still.
Result<void> collect_pages(
    PageMemory& memory, std::uint64_t limit,
    const std::function<Result<Page>(std::uint64_t offset, std::uint64_t limit)>& fetch,
    const std::function<void()>& restart);

}  // namespace cabinetfs::kiteworks
