// A bfloat16 kernel of x86: the tile of gemm/tile_words.h in the mode of bfloat16 sums. A file defines the macros that
// the tile needs, and includes this inside its target attribute.
#include "rounding_x86.h"
#include "../../gemm/tile_words.h"

static void multiply(const qk_packed_words *a, size_t rows, const qk_packed_words *b, size_t panels, size_t pairs,
                     const qk_packed_sums *sums, const qk_packed_fetch *fetch) {
  const unsigned mode = qk_enter_flushing();
  multiply_words(a, rows, b, panels, pairs, sums, fetch);
  qk_leave_flushing(mode);
}
