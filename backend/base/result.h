#pragma once

#include <tl/expected.hpp>
#include <utility>

#include "backend/base/error.h"

namespace cabinetfs {

// A value or an Error. tl::expected is not nodiscard by itself; this class is.
template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

// `return fail(ErrorCode::kNotFound, "stat id=...");`
inline tl::unexpected<Error> fail(ErrorCode code, std::string context) {
  return tl::unexpected<Error>(Error{code, std::move(context)});
}
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

// The same of a result.
template <class T>
Result<T> after_change(Result<T> result) {
  if (!result) return fail(after_change(std::move(result).error()));
  return result;
}

}  // namespace cabinetfs

#define CABINET_CONCAT_INNER(a, b) a##b
#define CABINET_CONCAT(a, b) CABINET_CONCAT_INNER(a, b)

// TRY(expr): returns the error of `expr` from the enclosing function, else goes on.
#define TRY(expr)                                                                \
  do {                                                                           \
    if (auto&& try_result_ = (expr); !try_result_)                               \
      return tl::unexpected<::cabinetfs::Error>(std::move(try_result_).error()); \
  } while (false)

// TRY_ASSIGN(auto x, expr): the same, and assigns or initialises `x` with the value.
#define TRY_ASSIGN(lhs, expr) TRY_ASSIGN_IMPL(CABINET_CONCAT(try_value_, __LINE__), lhs, expr)
#define TRY_ASSIGN_IMPL(tmp, lhs, expr)                                        \
  auto tmp = (expr);                                                           \
  if (!tmp) return tl::unexpected<::cabinetfs::Error>(std::move(tmp).error()); \
  lhs = *std::move(tmp)
