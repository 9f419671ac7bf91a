// The vector form of processing elements: one 64-bit vector element is the register P of one slice.
//
// Included once per instruction set, between the pragmas that name it, with vectors of VECTOR_SLICES slices.
// TILE_TOKENS groups of tokens share a load of the weight words. P is kept modulo 2^64, and the decoder cuts it to 48
// bits; the result is the same, because 2^48 divides 2^64.
#include <string.h>
#include "datapath_kernel.h"

enum { TILE_TOKENS = 2 };

typedef int64_t words __attribute__((vector_size(VECTOR_SLICES * 8)));
typedef int32_t half_words __attribute__((vector_size(VECTOR_SLICES * 4)));

#define INLINE static inline __attribute__((always_inline))

/// Constants of one lane, the same in every vector element.
typedef struct lane_reader {
  int32_t offset;
  int64_t mask, sign;  ///< sign 0: the lane is unsigned
  int64_t borrow;      ///< 1: the bit below belongs to a signed lane
} lane_reader;

typedef struct decoder {
  lane_reader lanes[QK_MAX_LANES];
  int64_t halves;      ///< exact: 2^(bits−1) in every signed lane below the top
} decoder;

INLINE words load_words(const int32_t *p) {
  half_words w;
  memcpy(&w, p, sizeof w);
  return __builtin_convertvector(w, words);
}

static decoder make_decoder(const qk_datapath_tile *t, int32_t lanes) {
  decoder d = { .halves = 0 };
  for (int32_t i = 0; i < lanes; i++) {
    const int top = i == lanes - 1;
    const int32_t offset = i * t->pitch, bits = top ? QK_DSP_P_BITS - offset : t->pitch;
    const int is_unsigned = t->activations_unsigned && t->atoms && i < t->activations;
    const int unsigned_below = t->activations_unsigned && t->atoms && i - 1 < t->activations;
    d.lanes[i] = (lane_reader){ .offset = offset, .mask = ((int64_t)1 << bits) - 1,
                                .sign = is_unsigned ? 0 : (int64_t)1 << (bits - 1),
                                .borrow = i > 0 && !unsigned_below };
    if (!is_unsigned && !top) d.halves += (int64_t)1 << (offset + bits - 1);
  }
  return d;
}

/// Half a field added to every signed lane below the top makes all of them non-negative, so no lane borrows; the half
/// is subtracted again afterwards. This is the sequential decoder in one step: (P − sext(field))/2^b = (P + half) >> b.
INLINE void decode_exact_words(const decoder *d, int32_t lanes, words p, words *out) {
  const words q = p + d->halves;
  for (int32_t i = 0; i < lanes - 1; i++)
    out[i] = ((words)((q >> d->lanes[i].offset) & d->lanes[i].mask)) - d->lanes[i].sign;
  const lane_reader top = d->lanes[lanes - 1];
  out[lanes - 1] = (((q >> top.offset) & top.mask) ^ top.sign) - top.sign;
}

INLINE void decode_field_words(const decoder *d, int32_t lanes, int parallel, words p, words *out) {
  for (int32_t i = 0; i < lanes; i++) {
    const lane_reader lane = d->lanes[i];
    words field = p >> lane.offset;
    if (i > 0 && parallel) field += (p >> (lane.offset - 1)) & lane.borrow;
    out[i] = ((field & lane.mask) ^ lane.sign) - lane.sign;
  }
}

/// The lowest bits of the codes are still in the words: weight i + 1 begins at bit (i+1)·pitch of AD, less the borrow
/// of the bits below it, which shows in the bit just below.
INLINE void decode_restored_words(const decoder *d, int32_t lanes, int32_t pitch, words p, words weights,
                                  words activation, words *out) {
  const int64_t sign = (int64_t)1 << pitch, mask = 2 * sign - 1;
  for (int32_t i = 0; i < lanes - 1; i++) {
    const int32_t offset = d->lanes[i + 1].offset;
    const words parity = ((weights >> offset) ^ (weights >> (offset - 1))) & activation & 1;
    out[i] = (((p ^ (parity << pitch)) & mask) ^ sign) - sign;
    p = (p - out[i]) >> pitch;
  }
  const lane_reader top = d->lanes[lanes - 1];
  out[lanes - 1] = ((p & top.mask) ^ top.sign) - top.sign;
}

INLINE words limit_words(words sum, int32_t bits, int saturates) {
  const int64_t sign = (int64_t)1 << (bits - 1), top = sign - 1;
  if (!saturates) return ((sum & (2 * sign - 1)) ^ sign) - sign;
  const words above = sum > top, below = sum < -sign;
  return (sum & ~above & ~below) | (above & top) | (below & -sign);
}

/// Runs one tile, with its number of lanes and its decoder known to the compiler.
INLINE void run_tile(const qk_datapath_tile *t, int32_t lanes, int32_t products, qk_decode decode, int restored,
                     const int32_t *weight_words, const int32_t *activation_words, int32_t tokens, int64_t *out) {
  const decoder d = make_decoder(t, lanes);
  const int32_t steps = (t->depth - 1) / t->input_lanes + 1;
  const int limited = t->accumulator_bits < 32 || t->accumulator_saturates;
  words acc[TILE_TOKENS][QK_MAX_LANES] = {0};
  for (int32_t first = 0; first < steps; first += t->chain) {
    const int32_t last = first + t->chain < steps ? first + t->chain : steps;
    for (int32_t slice = 0; slice < t->input_lanes; slice++) {
      words p[TILE_TOKENS] = {0}, w = {0};
      int64_t x = 0;
      for (int32_t step = first; step < last; step++) {
        const int32_t k = slice + t->input_lanes * step;
        if (k >= t->depth) break;
        w = load_words(weight_words + (ptrdiff_t)k * QK_TILE_SLICES);
        for (int32_t q = 0; q < tokens; q++) {
          x = activation_words[(ptrdiff_t)q * t->depth + k];
          p[q] += w * x;
        }
      }
      for (int32_t q = 0; q < tokens; q++) {
        words lane[QK_MAX_LANES];
        if (restored) decode_restored_words(&d, lanes, t->pitch, p[q], w, (words){0} + x, lane);
        else if (decode == QK_DECODE_EXACT) decode_exact_words(&d, lanes, p[q], lane);
        else decode_field_words(&d, lanes, decode == QK_DECODE_PARALLEL, p[q], lane);
        for (int32_t o = 0; o < products; o++)
          acc[q][o] += products == lanes ? lane[o] : lane[products + o] * 16 + lane[o];
      }
    }
    if (limited)
      for (int32_t q = 0; q < tokens; q++)
        for (int32_t o = 0; o < products; o++)
          acc[q][o] = limit_words(acc[q][o], t->accumulator_bits, t->accumulator_saturates);
  }
  for (int32_t q = 0; q < tokens; q++)
    for (int32_t o = 0; o < products; o++)
      memcpy(out + ((ptrdiff_t)q * products + o) * QK_TILE_SLICES, &acc[q][o], sizeof(words));
}

/// Restored words need the activation of their own product, so their tokens go one at a time.
INLINE void run_groups(const qk_datapath_tile *t, int32_t lanes, int32_t products, qk_decode decode, int restored,
                       const int32_t *weight_words, const int32_t *activation_words, int32_t groups, int64_t *out) {
  int32_t g = 0;
  const ptrdiff_t step = (ptrdiff_t)products * QK_TILE_SLICES;
  for (; !restored && g + TILE_TOKENS <= groups; g += TILE_TOKENS)
    run_tile(t, lanes, products, decode, restored, weight_words, activation_words + (ptrdiff_t)g * t->depth,
             TILE_TOKENS, out + g * step);
  for (; g < groups; g++)
    run_tile(t, lanes, products, decode, restored, weight_words, activation_words + (ptrdiff_t)g * t->depth, 1,
             out + g * step);
}

INLINE void run_decoded(const qk_datapath_tile *t, int32_t lanes, int32_t products, const int32_t *weight_words,
                        const int32_t *activation_words, int32_t groups, int64_t *out) {
  if (t->restored)
    run_groups(t, lanes, products, QK_DECODE_EXACT, 1, weight_words, activation_words, groups, out);
  else if (t->decode == QK_DECODE_EXACT)
    run_groups(t, lanes, products, QK_DECODE_EXACT, 0, weight_words, activation_words, groups, out);
  else if (t->decode == QK_DECODE_PARALLEL)
    run_groups(t, lanes, products, QK_DECODE_PARALLEL, 0, weight_words, activation_words, groups, out);
  else
    run_groups(t, lanes, products, QK_DECODE_NAIVE, 0, weight_words, activation_words, groups, out);
}

INLINE void run_slices(const qk_datapath_tile *t, const int32_t *weight_words, const int32_t *activation_words,
                       int32_t groups, int64_t *out) {
  switch (t->lanes) {
    case 1: run_decoded(t, 1, 1, weight_words, activation_words, groups, out); break;
    case 2:
      if (t->atoms) run_decoded(t, 2, 1, weight_words, activation_words, groups, out);
      else run_decoded(t, 2, 2, weight_words, activation_words, groups, out);
      break;
    case 3: run_decoded(t, 3, 3, weight_words, activation_words, groups, out); break;
    default:
      if (t->atoms) run_decoded(t, 4, 2, weight_words, activation_words, groups, out);
      else run_decoded(t, 4, 4, weight_words, activation_words, groups, out);
      break;
  }
}

static void run_datapath_tile(const qk_datapath_tile *t, const int32_t *weight_words,
                              const int32_t *activation_words, int32_t groups, int64_t *out) {
  for (int32_t slice = 0; slice < QK_TILE_SLICES; slice += VECTOR_SLICES)
    run_slices(t, weight_words + slice, activation_words, groups, out + slice);
}
