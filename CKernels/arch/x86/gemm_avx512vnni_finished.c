// Whole tiles of the VNNI product with their finish, two ways. Codes of bytes: the sums start at the bias and are doubled and
// halved, which takes 20 instructions for 64 codes instead of 30. Wider codes: a tile is finished among the products of the
// next one, which spreads its writes and uses the vector ports that vpdpbusd leaves free (Zen 4: two of four).
#if defined(__x86_64__)
#include "kernels_x86.h"
#include "look_up_avx512vbmi.h"
#include "tile_avx512vnni.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi,avx512vbmi2"))), \
                             apply_to=function)

#include "finish_avx512.h"

/// Multipliers of 16 columns for codes of bytes: twice those of the requantisers, for ⌊v + ½⌋ = (⌊2·v⌋ + 1) >> 1.
typedef struct doubled16 {
  __m512i even, odd;
} doubled16;

/// What the finish of a group of panels reads.
typedef struct group_end {
  qk_gemm_finish f;
  union {
    qk_columns16 columns[4];
    doubled16 doubled[4];
  };
} group_end;

/// Sums of a tile; an odd load reads one element beyond the last row.
typedef struct tile_sums {
  _Alignas(64) int32_t row[QK_TILE_VNNI_TOKENS][QK_GROUP_COLUMNS];
  int32_t beyond[16];
} tile_sums;

/// What lies in memory is read again behind this line: the registers belong to the sums of the running tile.
static inline __attribute__((always_inline)) void forget_registers(void) { __asm__ volatile("" ::: "memory"); }

static inline int is_narrow(const qk_output_form form) {
  return form == QK_OUTPUT_INT8 || form == QK_OUTPUT_UINT8 || form == QK_OUTPUT_TABLE;
}

/// Where the sums of a form start: at the bias for bytes, else at 0.
static inline const int32_t *start_of(const qk_output_form form, const qk_gemm_finish *f) {
  return is_narrow(form) ? f->bias : NULL;
}

/// ⌊2·v⌋ of 16 sums that hold their bias: the upper words of sum·multiplier.
static inline __attribute__((always_inline)) __m512i double16(const doubled16 *c, const int32_t *sums) {
  const __m512i even = _mm512_mul_epi32(_mm512_load_si512(sums), c->even);
  // One element on instead of a shift: loads have ports of their own.
  const __m512i odd = _mm512_mul_epi32(_mm512_loadu_si512(sums + 1), c->odd);
  return _mm512_mask_shuffle_epi32(odd, 0x5555, even, _MM_PERM_DDBB);
}

/// Two vectors of ⌊2·v⌋ as int16 codes, saturated beyond every byte: vpmulhrsw by 2^14 is (x + 1) >> 1.
static inline __m512i halve32(__m512i a, __m512i b) {
  return _mm512_mulhrs_epi16(_mm512_packs_epi32(a, b), _mm512_set1_epi16(1 << 14));
}

/// The finish of token t of a tile, a few registers at a time; where codes are wider than bytes they replace the sums first.
static inline __attribute__((always_inline)) void finish_token(const qk_output_form form, const int panels, const group_end *end,
                                                               tile_sums *sums, int32_t t) {
  const qk_gemm_finish *f = &end->f;
  const __mmask64 columns = panels == 4 ? ~(__mmask64)0 : ((__mmask64)1 << 16 * panels) - 1;
  uint8_t *out = (uint8_t *)f->output + (size_t)t * f->output_bytes;
  int32_t *row = sums->row[t];
  __m512i code[4];
#pragma clang loop unroll(full)
  for (int p = 0; p < 4; p++) {
    forget_registers();
    if (p >= panels) code[p] = _mm512_setzero_si512();
    else if (is_narrow(form)) code[p] = double16(&end->doubled[p], row + 16 * p);
    else _mm512_store_si512(row + 16 * p, qk_code16(form, 1, 0, f, 16 * p, &end->columns[p], _mm512_load_si512(row + 16 * p)));
  }
  forget_registers();
  if (is_narrow(form)) {
    qk_store_bytes64(form, f, columns, halve32(code[0], code[1]), halve32(code[2], code[3]), out);
    return;
  }
  const int16_t *residual =
      form == QK_OUTPUT_RESIDUAL ? (const int16_t *)((const uint8_t *)f->residual + (size_t)t * f->residual_bytes) : NULL;
#pragma clang loop unroll(full)
  for (int p = 0; p < panels; p++) code[p] = _mm512_load_si512(row + 16 * p);
  qk_store64(form, f, columns, code, out, residual);
}

/// `next` = the sums of a tile with wide codes, in as many parts of the depth as it has tokens; behind each of them one
/// token of the tile `done` is finished. What lies between two parts fits into the window of the CPU.
static inline __attribute__((always_inline)) void tile_finishing(const qk_output_form form, const int tokens, const int panels,
                                                                 const uint8_t *x, size_t x_stride, const uint8_t *panel,
                                                                 size_t panel_stride, int32_t steps, const group_end *end,
                                                                 tile_sums *done, tile_sums *next) {
  __m512i sum[QK_TILE_VNNI_TOKENS][4];
  const uint8_t *row[QK_TILE_VNNI_TOKENS];
  qk_begin_vnni(tokens, panels, x, x_stride, start_of(form, &end->f), row, sum);
  int32_t k = 0;
#pragma clang loop unroll(disable)
  for (int32_t part = 0; part < tokens; part++) {
    const int32_t last = steps / 2 * (part + 1) / tokens * 2;
    for (; k < last; k += 2) {
      qk_step_vnni(tokens, panels, row, panel, panel_stride, k, sum);
      qk_step_vnni(tokens, panels, row, panel, panel_stride, k + 1, sum);
    }
    finish_token(form, panels, end, done, part);
  }
  qk_end_vnni(tokens, panels, sum, next->row[0], QK_GROUP_COLUMNS);
}

/// Prepares the finish of a group; 0 where this way does not serve it.
static inline __attribute__((always_inline)) int begin_group(const qk_output_form form, const int panels, const qk_gemm_finish *f,
                                                             group_end *end) {
  end->f = *f;
  if (!is_narrow(form)) {
    qk_load_columns(f, end->columns);
    return 1;
  }
  // Twice a multiplier has to be an int32, so factors have to be below one quarter.
  const __m512i limit = _mm512_set1_epi32(1 << 30);
#pragma clang loop unroll(full)
  for (int p = 0; p < panels; p++) {
    const __m512i m = _mm512_loadu_si512(f->multiplier + 16 * p);
    if (_mm512_cmpge_epi32_mask(_mm512_abs_epi32(m), limit) != 0) return 0;
    end->doubled[p].even = _mm512_slli_epi32(m, 1);
    end->doubled[p].odd = _mm512_srli_epi64(end->doubled[p].even, 32);
  }
  return 1;
}

/// Whole tiles of a block; returns their tokens.
static inline __attribute__((always_inline)) int32_t multiply_form(const qk_output_form form, const int tile, const int panels,
                                                                   const uint8_t *x, size_t x_stride, int32_t tokens,
                                                                   const uint8_t *panel, size_t panel_stride,
                                                                   int32_t steps, const qk_gemm_finish *finish) {
  tile_sums sums[2];
  group_end end;
  const int32_t tiles = tokens / tile;
  const int32_t *start = start_of(form, finish);
  if (tiles == 0 || !begin_group(form, panels, finish, &end)) return 0;
  qk_tile_vnni(tile, panels, x, x_stride, panel, panel_stride, steps, start, sums[0].row[0], QK_GROUP_COLUMNS);
  for (int32_t i = 1; i < tiles; i++) {
    x += (size_t)tile * x_stride;
    tile_sums *done = &sums[(i - 1) % 2], *next = &sums[i % 2];
    if (is_narrow(form)) {
      qk_tile_vnni(tile, panels, x, x_stride, panel, panel_stride, steps, start, next->row[0], QK_GROUP_COLUMNS);
      for (int32_t t = 0; t < tile; t++) finish_token(form, panels, &end, done, t);
    } else {
      tile_finishing(form, tile, panels, x, x_stride, panel, panel_stride, steps, &end, done, next);
    }
    qk_next_tokens(&end.f, tile);
  }
  for (int32_t t = 0; t < tile; t++) finish_token(form, panels, &end, &sums[(tiles - 1) % 2], t);
  return tiles * tile;
}

static inline __attribute__((always_inline)) int32_t multiply_panels(const qk_output_form form, const uint8_t *x,
                                                                     size_t x_stride, int32_t tokens, const uint8_t *panel,
                                                                     size_t panel_stride, int32_t panels, int32_t steps,
                                                                     const qk_gemm_finish *f) {
  switch (panels) {
    case 3: return multiply_form(form, 8, 3, x, x_stride, tokens, panel, panel_stride, steps, f);
    case 4: return multiply_form(form, 6, 4, x, x_stride, tokens, panel, panel_stride, steps, f);
    default: return 0;
  }
}

int32_t qk_multiply_finished_avx512vnni(const uint8_t *x, size_t x_stride, int32_t tokens, const uint8_t *panel,
                                        size_t panel_stride, int32_t panels, int32_t depth, const qk_gemm_finish *f) {
  if (f->columns != panels * QK_PANEL_ROWS || f->sum_shift != 0) return 0;
  if (f->form != QK_OUTPUT_CODE_AND_REST && !f->high_word) return 0;
  const int32_t steps = depth / 4;
#define SERVE(form) \
  case form: return multiply_panels(form, x, x_stride, tokens, panel, panel_stride, panels, steps, f)
  switch (f->form) {
    SERVE(QK_OUTPUT_INT8);
    SERVE(QK_OUTPUT_UINT8);
    SERVE(QK_OUTPUT_TABLE);
    SERVE(QK_OUTPUT_INT16);
    SERVE(QK_OUTPUT_RESIDUAL);
    SERVE(QK_OUTPUT_CODE_AND_REST);
    SERVE(QK_OUTPUT_EXACT_AND_REST);
    case QK_OUTPUT_ACCUMULATOR:
    case QK_OUTPUT_INT32:
    case QK_OUTPUT_FLOAT: return 0;
  }
#undef SERVE
  return 0;
}

#pragma clang attribute pop
#endif
