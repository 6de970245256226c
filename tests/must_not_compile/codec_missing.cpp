// lk-parallel | SPDX-License-Identifier: MIT
// expect: this type has no codec
#include <string>

#include <lk/parallel/codec.hpp>

class label {
 public:
  explicit label(std::string text) : text_(std::move(text)) {}
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

#ifdef LK_CORRECTED
template <> struct lk::parallel::codec<label> {
  static void encode(const label& value, wire::writer& out) { wire::encode(value.text(), out); }
  static label decode(wire::reader& in) { return label(wire::decode<std::string>(in)); }
};
#endif

int main() { lk::parallel::wire::require_codable_argument<label>(); }
