#include "cache/sealer.h"

#include <fmt/format.h>

namespace cabinetfs {

std::string Sealer::seal_text(std::string_view aad, std::string_view in) const {
  std::string out(in.size() + kOverhead, '\0');
  seal(as_bytes(aad), as_bytes(in), std::as_writable_bytes(std::span(out.data(), out.size())));
  return out;
}

Result<std::string> Sealer::open_text(std::string_view aad, std::string_view in) const {
  if (in.size() < kOverhead)
    return fail(ErrorCode::kCorrupt, fmt::format("sealed text of {} bytes", in.size()));
  std::string out(in.size() - kOverhead, '\0');
  TRY(open(as_bytes(aad), as_bytes(in), std::as_writable_bytes(std::span(out.data(), out.size()))));
  return out;
}

}  // namespace cabinetfs
