// Whole tiles of the VNNI product together with their finish. A tile is finished among the products of the next one, in
// stages of a few instructions. vpdpbusd leaves half of the vector ports free (Zen 4), but an instruction that waits
// for another one also waits in the queue that feeds its ports. So a stage needs nothing that was begun in the same
// stage or just before.
#if defined(__x86_64__)
#include "kernels_x86.h"
#include "look_up_avx512vbmi.h"
#include "tile_avx512vnni.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi,avx512vbmi2"))), \
                             apply_to=function)

#include "finish_avx512.h"

/// Multipliers of 16 columns for codes of bytes: twice those of the requantisers, because ⌊v + ½⌋ = (⌊2·v⌋ + 1) >> 1.
typedef struct doubled16 {
  __m512i even, odd;
} doubled16;

/// Data that the finish of a group of panels reads.
typedef struct group_end {
  qk_gemm_finish f;
  qk_rounding_range range;
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

/// Memory is read again after this line, because the registers belong to the sums of the running tile.
static inline __attribute__((always_inline)) void forget_registers(void) { __asm__ volatile("" ::: "memory"); }

static inline int is_narrow(const qk_output_form form) {
  return form == QK_OUTPUT_INT8 || form == QK_OUTPUT_UINT8 || form == QK_OUTPUT_TABLE;
}

/// Start of the sums of a form: the bias where nothing needs them without it, else 0.
static inline const int32_t *start_of(const qk_output_form form, const qk_gemm_finish *f) {
  return is_narrow(form) || form == QK_OUTPUT_CODE_AND_REST ? f->bias : NULL;
}

/// ⌊2·v⌋ of 16 sums that hold their bias: the upper words of sum·multiplier.
static inline __attribute__((always_inline)) __m512i double16(const doubled16 *c, const int32_t *sums) {
  const __m512i even = _mm512_mul_epi32(_mm512_load_si512(sums), c->even);
  // A load one element further on, instead of a shift: loads have ports of their own.
  const __m512i odd = _mm512_mul_epi32(_mm512_loadu_si512(sums + 1), c->odd);
  return qk_upper_words(even, odd);
}

/// (x + 1) >> 1 of 32 words: the average of x and 0, both raised by 2^15, because averages are unsigned. vpmulhrsw by
/// 2^14 takes the ports of the products.
static inline __m512i halve32(__m512i x) {
  const __m512i lift = _mm512_set1_epi16(INT16_MIN);
  return _mm512_xor_si512(_mm512_avg_epu16(_mm512_xor_si512(x, lift), lift), lift);
}

/// Values that a stage leaves to the next one.
typedef struct waiting {
  __m512i a, b;
} waiting;

static inline int stages_of(const qk_output_form form, const int panels) {
  switch (form) {
    case QK_OUTPUT_CODE_AND_REST: return 2 * panels;
    case QK_OUTPUT_EXACT_AND_REST: return 3 * panels;
    case QK_OUTPUT_INT16:
    case QK_OUTPUT_RESIDUAL: return panels + (panels + 1) / 2;
    default: return panels + 1;
  }
}

/// Bytes: one panel per stage, then all panels.
static inline __attribute__((always_inline)) void finish_bytes(const qk_output_form form, const int panels, const int stage,
                                                               const group_end *end, const int32_t *row, uint8_t *out, waiting *w) {
  const __mmask64 columns = panels == 4 ? ~(__mmask64)0 : ((__mmask64)1 << 16 * panels) - 1;
  if (stage == panels) {
    const __m512i last = panels % 2 ? _mm512_packs_epi32(w->b, _mm512_setzero_si512()) : w->b;
    qk_store_bytes64(form, &end->f, columns, halve32(w->a), halve32(last), out);
    return;
  }
  const __m512i code = double16(&end->doubled[stage], row + 16 * stage);
  if (stage % 2 == 0) w->b = code;
  else if (stage == 1) w->a = _mm512_packs_epi32(w->b, code);
  else w->b = _mm512_packs_epi32(w->b, code);
}

/// int16: two panels, one per stage, then both.
static inline __attribute__((always_inline)) void finish_words(const qk_output_form form, const int panels, const int stage,
                                                               const group_end *end, const int32_t *row, uint8_t *out,
                                                               const int16_t *residual, waiting *w) {
  const qk_gemm_finish *f = &end->f;
  const int first = stage / 3 * 2, is_pair = first + 1 < panels;
  if (stage % 3 == 0 || (is_pair && stage % 3 == 1)) {
    const int p = first + stage % 3;
    const __m512i code = qk_code16(form, 1, 0, f, 16 * p, &end->columns[p], _mm512_load_si512(row + 16 * p));
    if (stage % 3 == 0) w->a = code;
    else w->b = code;
    return;
  }
  const __mmask32 lanes = is_pair ? ~(__mmask32)0 : 0xffff;
  __m512i words = qk_words32(w->a, is_pair ? w->b : w->a);
  if (form == QK_OUTPUT_RESIDUAL) {
    words = _mm512_adds_epi16(words, _mm512_maskz_loadu_epi16(lanes, residual + 16 * first));
  } else {
    words = _mm512_max_epi16(_mm512_set1_epi16((short)f->lo), _mm512_min_epi16(_mm512_set1_epi16((short)f->hi), words));
  }
  _mm512_mask_storeu_epi16(out + 32 * first, lanes, words);
}

/// Pairs of codes and remainders: two stages per panel, or three with the codes of the requantiser.
static inline __attribute__((always_inline)) void finish_pairs(const qk_output_form form, const int stage, const group_end *end,
                                                               const int32_t *row, uint8_t *out, int8_t *rest, waiting *w) {
  const int exact = form == QK_OUTPUT_EXACT_AND_REST, step = stage % (2 + exact), p = stage / (2 + exact);
  const qk_gemm_finish *f = &end->f;
  const __m512i sums = _mm512_load_si512(row + 16 * p);
  if (step == 0) {
    const __m512i biased = exact ? _mm512_add_epi32(sums, end->columns[p].bias) : sums;
    const __m512 v = _mm512_mul_ps(_mm512_cvtepi32_ps(biased), end->columns[p].scale);
    *w = (waiting){ _mm512_castps_si512(v), qk_clamp_rounded16(&end->range, v) };
    return;
  }
  if (step == 1) w->a = qk_rest16(&end->range, _mm512_castsi512_ps(w->a), w->b);
  if (exact && step == 1) return;
  __m512i code = w->b;
  if (exact) {
    code = qk_requantise16(1, f, 16 * p, &end->columns[p], sums);
    code = _mm512_max_epi32(_mm512_set1_epi32(f->lo), _mm512_min_epi32(_mm512_set1_epi32(f->hi), code));
  }
  _mm_storeu_si128((__m128i *)(void *)(out + 16 * p), _mm512_cvtepi32_epi8(code));
  _mm_storeu_si128((__m128i *)(void *)(rest + 16 * p), _mm512_cvtepi32_epi8(w->a));
}

/// One stage of the finish of token t of a tile.
static inline __attribute__((always_inline)) void finish_stage(const qk_output_form form, const int panels, const int stage,
                                                               const group_end *end, const tile_sums *sums, int32_t t, waiting *w) {
  const qk_gemm_finish *f = &end->f;
  uint8_t *out = (uint8_t *)f->output + (size_t)t * f->output_bytes;
  const int32_t *row = sums->row[t];
  forget_registers();
  switch (form) {
    case QK_OUTPUT_CODE_AND_REST:
    case QK_OUTPUT_EXACT_AND_REST: finish_pairs(form, stage, end, row, out, f->rest + (size_t)t * f->output_bytes, w); break;
    case QK_OUTPUT_INT16: finish_words(form, panels, stage, end, row, out, NULL, w); break;
    case QK_OUTPUT_RESIDUAL:
      finish_words(form, panels, stage, end, row, out,
                   (const int16_t *)((const uint8_t *)f->residual + (size_t)t * f->residual_bytes), w);
      break;
    default: finish_bytes(form, panels, stage, end, row, out, w); break;
  }
  // Forces w to be computed here, not where it is used.
  __asm__ volatile("" : "+v"(w->a), "+v"(w->b) : : "memory");
}

/// Writes the sums of a tile to `next`; a stage of the tile `done` follows every few steps.
static inline __attribute__((always_inline)) void tile_finishing(const qk_output_form form, const int tokens, const int panels,
                                                                 const uint8_t *x, size_t x_stride, const uint8_t *panel,
                                                                 size_t panel_stride, int32_t steps, const group_end *end,
                                                                 const tile_sums *done, tile_sums *next) {
  __m512i sum[QK_TILE_VNNI_TOKENS][4];
  const uint8_t *row[QK_TILE_VNNI_TOKENS];
  const int stages = stages_of(form, panels);
  waiting w = { _mm512_setzero_si512(), _mm512_setzero_si512() };
  qk_begin_vnni(tokens, panels, x, x_stride, start_of(form, &end->f), row, sum);
  const int32_t few = steps / (stages * tokens);
  int32_t k = 0;
#pragma clang loop unroll(disable)
  for (int32_t t = 0; t < tokens; t++)
#pragma clang loop unroll(full)
    for (int stage = 0; stage < stages; stage++) {
#pragma clang loop unroll(disable)
      for (int32_t i = 0; i < few; i++, k++) qk_step_vnni(tokens, panels, row, panel, panel_stride, k, sum);
      finish_stage(form, panels, stage, end, done, t, &w);
    }
#pragma clang loop unroll_count(2)
  for (; k < steps; k++) qk_step_vnni(tokens, panels, row, panel, panel_stride, k, sum);
  qk_end_vnni(tokens, panels, sum, next->row[0], QK_GROUP_COLUMNS);
}

/// Prepares the finish of a group; returns 0 where this kernel does not serve it.
static inline __attribute__((always_inline)) int begin_group(const qk_output_form form, const int panels, const qk_gemm_finish *f,
                                                             group_end *end) {
  end->f = *f;
  end->range = qk_rounding_range_of(f);
  if (!is_narrow(form)) {
    qk_load_columns(f, end->columns);
    return 1;
  }
  // Twice a multiplier must be an int32, so factors must be below one quarter.
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

/// Multiplies and finishes the whole tiles of a block; returns the number of their tokens.
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
    tile_finishing(form, tile, panels, x, x_stride, panel, panel_stride, steps, &end, &sums[(i - 1) % 2], &sums[i % 2]);
    qk_next_tokens(&end.f, tile);
  }
  waiting w = { _mm512_setzero_si512(), _mm512_setzero_si512() };
  for (int32_t t = 0; t < tile; t++)
#pragma clang loop unroll(full)
    for (int stage = 0; stage < stages_of(form, panels); stage++)
      finish_stage(form, panels, stage, &end, &sums[(tiles - 1) % 2], t, &w);
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
