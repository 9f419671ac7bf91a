// The VNNI GEMM kernel: bytes by bytes. Panels of 4-bit rows are unpacked once per block of tokens. For few tokens they
// are unpacked in registers, where a weight counts as 16 times its value (the nibble is in the upper half of a byte).
// Unpacking is then a mask and a shift, |16·8·255·32000| < 2^31, and the finish shifts the sum back.
#if defined(__x86_64__)
#include "activations_x86.h"
#include "finish_x86.h"
#include "kernels_x86.h"
#include "vectors_avx512.h"
#include "tile_avx512vnni.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), apply_to=function)

enum { FEW_TOKENS = 4, FEW_SHIFT = 4 };

static void load_panel4(const uint8_t *panel, int32_t depth, void *out) { qk_unpack_nibbles_avx512(panel, depth, out); }

/// Source of the rows of one precision among 16: from `slot` on in one panel, or in that panel and the next.
typedef struct row_source {
  const uint8_t *first, *second;
  __m512i places;  ///< lane i: source of the row of bit i
  int two;
} row_source;

static row_source rows_at(const uint8_t *from, int32_t panels, size_t bytes, int32_t slot, uint16_t bits) {
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const int32_t panel = slot / QK_PANEL_ROWS < panels ? slot / QK_PANEL_ROWS : panels - 1, lane = slot % QK_PANEL_ROWS;
  return (row_source){
    .first = from + (size_t)panel * bytes, .second = from + (size_t)(panel + 1) * bytes,
    .places = _mm512_maskz_expand_epi32(bits, _mm512_add_epi32(lanes, _mm512_set1_epi32(lane))),
    .two = lane + __builtin_popcount(bits) > QK_PANEL_ROWS && panel + 1 < panels,
  };
}

/// Puts 64 bytes of a panel into the lanes of their rows. The loads are the cost, so the second panel is read where
/// needed.
static inline __attribute__((always_inline)) __m512i pick_rows(const int two, const row_source *s, size_t at) {
  const __m512i first = _mm512_loadu_si512(s->first + at);
  return two ? _mm512_permutex2var_epi32(first, s->places, _mm512_loadu_si512(s->second + at))
             : _mm512_permutexvar_epi32(s->places, first);
}

/// A lane of an 8-bit panel holds four k of a row; a lane of a packed 4-bit panel holds eight.
static inline __attribute__((always_inline)) void load_lanes(const int two8, const int two4, row_source from8, row_source from4,
                                                             __mmask16 is8, int32_t depth, uint8_t *out) {
  for (size_t at = 0; at < (size_t)depth * 8; at += 64) {
    const __m512i pairs = pick_rows(two4, &from4, at);
    const __m512i first = pick_rows(two8, &from8, 2 * at), second = pick_rows(two8, &from8, 2 * at + 64);
    _mm512_storeu_si512(out + 2 * at, _mm512_mask_mov_epi32(qk_lower_codes(pairs), is8, first));
    _mm512_storeu_si512(out + 2 * at + 64, _mm512_mask_mov_epi32(qk_upper_codes(pairs), is8, second));
  }
}

static void load_rows(const qk_gemm_rows *r, int32_t depth, uint8_t *out) {
  const row_source from8 = rows_at(r->from8, r->panels8, (size_t)depth * QK_PANEL_ROWS, r->slot8, r->is8);
  const row_source from4 = rows_at(r->from4, r->panels4, (size_t)depth * QK_PANEL_ROWS / 2, r->slot4, (uint16_t)~r->is8);
  if (from8.two && from4.two) load_lanes(1, 1, from8, from4, r->is8, depth, out);
  else if (from8.two) load_lanes(1, 0, from8, from4, r->is8, depth, out);
  else if (from4.two) load_lanes(0, 1, from8, from4, r->is8, depth, out);
  else load_lanes(0, 0, from8, from4, r->is8, depth, out);
}

/// Multiplies 1…8 tokens; `most` limits the tiles that are built for a number of panels.
static inline __attribute__((always_inline)) void choose_tile(const int panels, const int most, const uint8_t *x,
                                                              size_t x_stride, int32_t tokens, const uint8_t *panel,
                                                              size_t panel_stride, int32_t steps, const int32_t *start,
                                                              int32_t *sums, size_t row) {
  switch (tokens) {
    case 1: qk_tile_vnni(1, panels, x, x_stride, panel, panel_stride, steps, start, sums, row); return;
    case 2: qk_tile_vnni(2, panels, x, x_stride, panel, panel_stride, steps, start, sums, row); return;
    case 3: qk_tile_vnni(3, panels, x, x_stride, panel, panel_stride, steps, start, sums, row); return;
    case 4: qk_tile_vnni(4, panels, x, x_stride, panel, panel_stride, steps, start, sums, row); return;
    case 5: qk_tile_vnni(5, panels, x, x_stride, panel, panel_stride, steps, start, sums, row); return;
    case 6: qk_tile_vnni(6, panels, x, x_stride, panel, panel_stride, steps, start, sums, row); return;
    default: break;
  }
  if (most < 8) return;
  switch (tokens) {
    case 7: qk_tile_vnni(7, panels, x, x_stride, panel, panel_stride, steps, start, sums, row); return;
    case 8: qk_tile_vnni(8, panels, x, x_stride, panel, panel_stride, steps, start, sums, row); return;
    default: break;
  }
}

/// Multiplies tiles of `most` tokens one after the other.
static inline __attribute__((always_inline)) void multiply_tiles(const int panels, const int most, const uint8_t *x,
                                                                 size_t x_stride, int32_t tokens, const uint8_t *panel,
                                                                 size_t panel_stride, int32_t steps,
                                                                 const int32_t *start, int32_t *sums, size_t row) {
  for (; tokens > most; tokens -= most) {
    qk_tile_vnni(most, panels, x, x_stride, panel, panel_stride, steps, start, sums, row);
    x += (size_t)most * x_stride;
    sums += (size_t)most * row;
  }
  choose_tile(panels, most, x, x_stride, tokens, panel, panel_stride, steps, start, sums, row);
}

static inline __attribute__((always_inline)) void multiply_panels(const uint8_t *x, size_t x_stride, int32_t tokens,
                                                                  const uint8_t *panel, size_t panel_stride,
                                                                  int32_t panels, int32_t steps, const int32_t *start,
                                                                  int32_t *sums, size_t row) {
  switch (panels) {
    case 1: multiply_tiles(1, 8, x, x_stride, tokens, panel, panel_stride, steps, start, sums, row); break;
    case 2: multiply_tiles(2, 8, x, x_stride, tokens, panel, panel_stride, steps, start, sums, row); break;
    case 3: multiply_tiles(3, 8, x, x_stride, tokens, panel, panel_stride, steps, start, sums, row); break;
    default: multiply_tiles(4, 6, x, x_stride, tokens, panel, panel_stride, steps, start, sums, row); break;
  }
}

static void multiply(const uint8_t *x, size_t x_stride, int32_t tokens, const uint8_t *panel, size_t panel_stride,
                     int32_t panels, int32_t depth, int32_t *sums) {
  multiply_panels(x, x_stride, tokens, panel, panel_stride, panels, depth / 4, NULL, sums, QK_GROUP_COLUMNS);
}

static void multiply_onto(const uint8_t *x, size_t x_stride, int32_t tokens, const uint8_t *panel, size_t panel_stride,
                          int32_t panels, int32_t depth, const int32_t *start, int32_t *sums, size_t sums_stride) {
  multiply_panels(x, x_stride, tokens, panel, panel_stride, panels, depth / 4, start, sums, sums_stride);
}

static inline __m512i low_nibbles(__m512i v) {
  return _mm512_and_si512(_mm512_slli_epi32(v, 4), _mm512_set1_epi8((char)0xf0));
}

static inline __m512i high_nibbles(__m512i v) { return _mm512_and_si512(v, _mm512_set1_epi8((char)0xf0)); }

/// Unpacks in registers, which is worth it while a panel is used once. A step is eight k.
static inline __attribute__((always_inline)) void tile_few(const int tokens, const int panels, const uint8_t *x,
                                                           size_t x_stride, const uint8_t *panel, size_t panel_stride,
                                                           int32_t steps, int32_t *sums) {
  __m512i sum[FEW_TOKENS][4];
#pragma clang loop unroll(full)
  for (int t = 0; t < tokens; t++)
#pragma clang loop unroll(full)
    for (int p = 0; p < panels; p++) sum[t][p] = _mm512_setzero_si512();
  for (int32_t k = 0; k < steps; k++)
#pragma clang loop unroll(full)
    for (int p = 0; p < panels; p++) {
      const __m512i v = _mm512_loadu_si512(panel + (size_t)p * panel_stride + 64 * (size_t)k);
      const __m512i low = low_nibbles(v), high = high_nibbles(v);
#pragma clang loop unroll(full)
      for (int t = 0; t < tokens; t++) {
        const uint8_t *codes = x + (size_t)t * x_stride + 8 * (size_t)k;
        sum[t][p] = _mm512_dpbusd_epi32(sum[t][p], qk_broadcast_quad(codes), low);
        sum[t][p] = _mm512_dpbusd_epi32(sum[t][p], qk_broadcast_quad(codes + 4), high);
      }
    }
#pragma clang loop unroll(full)
  for (int t = 0; t < tokens; t++)
#pragma clang loop unroll(full)
    for (int p = 0; p < panels; p++) _mm512_storeu_si512(sums + t * QK_GROUP_COLUMNS + 16 * p, sum[t][p]);
}

static inline __attribute__((always_inline)) void choose_few(const int panels, const uint8_t *x, size_t x_stride,
                                                             int32_t tokens, const uint8_t *panel, size_t panel_stride,
                                                             int32_t steps, int32_t *sums) {
  switch (tokens) {
    case 1: tile_few(1, panels, x, x_stride, panel, panel_stride, steps, sums); break;
    case 2: tile_few(2, panels, x, x_stride, panel, panel_stride, steps, sums); break;
    case 3: tile_few(3, panels, x, x_stride, panel, panel_stride, steps, sums); break;
    default: tile_few(4, panels, x, x_stride, panel, panel_stride, steps, sums); break;
  }
}

static void multiply_few(const uint8_t *x, size_t x_stride, int32_t tokens, const uint8_t *panel, size_t panel_stride,
                         int32_t panels, int32_t depth, int32_t *sums) {
  switch (panels) {
    case 1: choose_few(1, x, x_stride, tokens, panel, panel_stride, depth / 8, sums); break;
    case 2: choose_few(2, x, x_stride, tokens, panel, panel_stride, depth / 8, sums); break;
    case 3: choose_few(3, x, x_stride, tokens, panel, panel_stride, depth / 8, sums); break;
    default: choose_few(4, x, x_stride, tokens, panel, panel_stride, depth / 8, sums); break;
  }
}

#define QK_VNNI_PRECISIONS                                                                                         \
  .group_panels = 4,                                                                                               \
  .w8 = { .activation_bytes = 1, .shifted = 1, .tile_tokens = 6,                                 \
          .load_activations = qk_shift_activations_avx2, .multiply = multiply,                                     \
          .multiply_onto = multiply_onto },                                                                        \
  .w4 = { .activation_bytes = 1, .shifted = 1, .panel_bytes = 16, .few_tokens = FEW_TOKENS, .few_shift = FEW_SHIFT,   \
          .tile_tokens = 6, .load_activations = qk_shift_activations_avx2,                       \
          .load_panel = load_panel4, .multiply = multiply, .multiply_onto = multiply_onto,                         \
          .multiply_few = multiply_few },                                                                            \
  .load_rows = load_rows, .ordered_bytes = 128

const qk_gemm_kernel qk_gemm_avx512vnni = {
  .name = "gemm_x8_w8w4_6x64_avx512vnni_dpbusd_vbmi",
  QK_VNNI_PRECISIONS,
  .finish = qk_finish_avx512vbmi,
  .multiply_finished = qk_multiply_finished_avx512vnni,
  .merge = qk_merge_avx512vbmi,
};

/// For CPUs before VBMI (Cascade Lake, Cooper Lake).
const qk_gemm_kernel qk_gemm_avx512vnni_without_vbmi = {
  .name = "gemm_x8_w8w4_6x64_avx512vnni_dpbusd",
  QK_VNNI_PRECISIONS,
  .finish = qk_finish_avx512,
  .merge = qk_merge_avx2,
};

#pragma clang attribute pop
#endif
