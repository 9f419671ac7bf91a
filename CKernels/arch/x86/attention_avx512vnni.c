// Attention on VNNI, fused per tile of six queries: scores of all keys (bytes by bytes), probabilities as bytes, their
// product with the values, and the output codes. Only the tile's rows of scores are ever in memory. A score row starts
// at −128·Σ k of its key, because queries are stored as code + 128.
//
// vpdpbusd leaves half of the vector ports free (Zen 4). So the probabilities of the next tile are made while one tile
// is multiplied by the values, and the output codes of a finished tile while a later one is multiplied by the keys.
// This happens in steps of a few instructions, because an instruction that waits for another one also waits in the
// queue that feeds the products.
#if defined(__x86_64__)
#include "kernels_x86.h"
#include "tile_avx512vnni.h"
#include "../../pack/packed_layout.h"

#pragma clang attribute push( \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi,avx512vbmi2"))), apply_to=function)

#include "attention_operands_avx512.h"
#include "attention_rows_avx512.h"

enum { QUERIES = 6, PANEL = QK_PANEL_ROWS, GROUP = 64, MAX_DIMENSION = 256 };

/// Sizes of a task's buffers, all multiples of 64 bytes.
typedef struct layout {
  int32_t depth;                             ///< of keys and queries: head dimension rounded up to 4
  int32_t key_panels, value_groups, steps;   ///< steps of four tokens
  size_t keys, key_sums, values, queries, scores, p, sums, maxima, total;
  size_t score_stride;                       ///< elements of a row of scores, bytes of a row of probabilities
  size_t query_stride;
} layout;

static size_t reserve(size_t *total, size_t bytes) {
  const size_t begin = *total;
  *total += (bytes + 63) / 64 * 64;
  return begin;
}

static layout lay_out(const qk_attention_arguments *a) {
  layout l = { .depth = qk_round_up(a->head_dimension, 4), .key_panels = (a->tokens - 1) / PANEL + 1,
               .value_groups = (a->head_dimension - 1) / GROUP + 1, .steps = (a->tokens - 1) / 4 + 1 };
  l.score_stride = (size_t)qk_round_up(a->tokens, GROUP);
  l.keys = reserve(&l.total, (size_t)l.key_panels * PANEL * (size_t)l.depth);
  l.key_sums = reserve(&l.total, (size_t)l.key_panels * PANEL * sizeof(int32_t));
  l.values = reserve(&l.total, (size_t)l.value_groups * GROUP * (size_t)l.steps * 4);
  l.query_stride = (size_t)l.value_groups * GROUP;
  l.queries = reserve(&l.total, (size_t)a->tokens * l.query_stride);
  l.scores = reserve(&l.total, QUERIES * l.score_stride * sizeof(int32_t) + 64);
  l.p = reserve(&l.total, 2 * QUERIES * l.score_stride);
  l.sums = reserve(&l.total, QUERIES * MAX_DIMENSION * sizeof(int32_t));
  l.maxima = reserve(&l.total, QUERIES * PANEL * sizeof(int32_t));
  return l;
}

static size_t scratch_bytes(const qk_attention_arguments *a) { return lay_out(a).total; }
static int32_t most_queries(const qk_attention_arguments *a) { return a->tokens; }

static inline __attribute__((always_inline)) void tiles(const int panels, const uint8_t *x, size_t x_stride, int32_t rows,
                                                        const uint8_t *panel, size_t panel_stride, int32_t steps,
                                                        const int32_t *start, int32_t *sums, size_t sums_stride) {
  switch (rows) {
    case 1: qk_tile_vnni(1, panels, x, x_stride, panel, panel_stride, steps, start, sums, sums_stride); break;
    case 2: qk_tile_vnni(2, panels, x, x_stride, panel, panel_stride, steps, start, sums, sums_stride); break;
    case 3: qk_tile_vnni(3, panels, x, x_stride, panel, panel_stride, steps, start, sums, sums_stride); break;
    case 4: qk_tile_vnni(4, panels, x, x_stride, panel, panel_stride, steps, start, sums, sums_stride); break;
    case 5: qk_tile_vnni(5, panels, x, x_stride, panel, panel_stride, steps, start, sums, sums_stride); break;
    default: qk_tile_vnni(QUERIES, panels, x, x_stride, panel, panel_stride, steps, start, sums, sums_stride); break;
  }
}

/// One tile of queries.
typedef struct query_tile {
  int32_t first, rows;
  uint8_t *p;                                ///< probabilities [rows][score_stride]
  int32_t maxima[QUERIES];
  query_ends ends;
} query_tile;

/// A task with its buffers.
typedef struct work {
  const qk_attention_task *task;
  const qk_attention_arguments *a;
  const shared *s;
  layout l;
  uint8_t *keys, *values, *queries, *p;
  int32_t *key_sums, *scores, *sums;
  int32_t *maxima;                           ///< [QUERIES][16] of the first FINISHED_KEYS scores, from keys_and_finish
} work;

static void begin_tile(const work *w, int32_t index, query_tile *q) {
  const int32_t left = w->task->queries - index * QUERIES;
  q->first = index * QUERIES;
  q->rows = left < QUERIES ? left : QUERIES;
  q->p = w->p + (size_t)(index % 2) * QUERIES * w->l.score_stride;
}

/// Computes the scores of the keys from panel `p` on.
static void multiply_keys(const work *w, const query_tile *q, int32_t p) {
  const layout *l = &w->l;
  const size_t panel_bytes = (size_t)l->depth * PANEL;
  const uint8_t *queries = w->queries + (size_t)q->first * l->query_stride;
  const int32_t steps = l->depth / 4;
  while (p < l->key_panels) {
    const int32_t rest = l->key_panels - p;
    const uint8_t *panel = w->keys + (size_t)p * panel_bytes;
    const int32_t *from = w->key_sums + PANEL * p;
    int32_t *to = w->scores + PANEL * p;
    if (rest >= 4 && rest != 5) {
      tiles(4, queries, l->query_stride, q->rows, panel, panel_bytes, steps, from, to, l->score_stride);
      p += 4;
    } else if (rest >= 3) {
      tiles(3, queries, l->query_stride, q->rows, panel, panel_bytes, steps, from, to, l->score_stride);
      p += 3;
    } else if (rest == 2) {
      tiles(2, queries, l->query_stride, q->rows, panel, panel_bytes, steps, from, to, l->score_stride);
      p += 2;
    } else {
      tiles(1, queries, l->query_stride, q->rows, panel, panel_bytes, steps, from, to, l->score_stride);
      p += 1;
    }
  }
}

static void find_maxima(const work *w, query_tile *q) {
  for (int32_t i = 0; i < q->rows; i++)
    q->maxima[i] = row_maximum(_mm512_set1_epi32(INT32_MIN), w->scores + (size_t)i * w->l.score_stride, 0, w->a->tokens);
}

static void find_ends(const work *w, query_tile *q) {
  find_query_ends(w->s, q->p, w->l.score_stride, q->rows, w->a->tokens, &q->ends);
}

static void soften(const work *w, const query_tile *q) {
  for (int32_t i = 0; i < q->rows; i++) {
    const int32_t *row = w->scores + (size_t)i * w->l.score_stride;
    uint8_t *codes = q->p + (size_t)i * w->l.score_stride;
    switch (w->s->score_way) {
      case IN_SHORTS: make_probabilities(IN_SHORTS, w->s, w->a->tokens, q->maxima[i], row, codes); break;
      case IN_SHIFTED_SHORTS: make_probabilities(IN_SHIFTED_SHORTS, w->s, w->a->tokens, q->maxima[i], row, codes); break;
      case IN_WORDS: make_probabilities(IN_WORDS, w->s, w->a->tokens, q->maxima[i], row, codes); break;
      case IN_DOUBLES: make_probabilities(IN_DOUBLES, w->s, w->a->tokens, q->maxima[i], row, codes); break;
    }
  }
}

static void multiply_values(const work *w, const query_tile *q) {
  const layout *l = &w->l;
  const size_t panel = (size_t)l->steps * 64;
  for (int32_t g = 0; g < l->value_groups; g++)
    tiles(4, q->p, l->score_stride, q->rows, w->values + (size_t)g * 4 * panel, panel, l->steps, NULL, w->sums + GROUP * g,
          MAX_DIMENSION);
}

static int8_t *output_of(const work *w, const query_tile *q, int32_t row) {
  return w->task->output + (size_t)(q->first + row) * w->task->output_stride;
}

static void finish(const work *w, const query_tile *q) {
  for (int32_t i = 0; i < q->rows; i++)
    for (int32_t g = 0; g < w->l.value_groups; g++)
      finish_query(w->a, w->s, w->sums + i * MAX_DIMENSION + GROUP * g, &q->ends, i, w->a->head_dimension - GROUP * g,
                   output_of(w, q, i) + GROUP * g);
}

/// Takes a tile from end to end.
static void attend_rows(const work *w, query_tile *q) {
  multiply_keys(w, q, 0);
  find_maxima(w, q);
  soften(w, q);
  multiply_values(w, q);
  find_ends(w, q);
  finish(w, q);
}

// --- interleaved tiles ---------------------------------------------------------------------------------------

/// A product of six rows by four panels in progress.
typedef struct running {
  __m512i sum[QK_TILE_VNNI_TOKENS][4];
  const uint8_t *row[QK_TILE_VNNI_TOKENS];
  const uint8_t *panel;
  size_t panel_stride;
  int32_t k;
} running;

/// Runs `count` steps. They are loops, because in straight code the compiler moves sums from register to register. The
/// code that follows is computed here and reads memory anew, because the registers belong to the sums.
static inline __attribute__((always_inline)) void run(running *r, int32_t count) {
#pragma clang loop unroll(disable)
  for (int32_t i = 0; i < count; i++, r->k++) qk_step_vnni(QUERIES, 4, r->row, r->panel, r->panel_stride, r->k, r->sum);
  __asm__ volatile("" ::: "memory");
}

/// Forces the values that wait for the next step to be computed here.
#define HOLD(w) __asm__ volatile("" : "+v"((w).a), "+v"((w).b) : : "memory")

/// Multiplies `now` by the values while the probabilities of `next` are made, 64 of them in two steps: first the codes
/// of the last 64 and the exponents of these, then their entries of the table.
static inline __attribute__((always_inline)) void values_and_softmax(const score_way way, const work *w, const query_tile *now,
                                                                     const query_tile *next) {
  const layout *l = &w->l;
  const int32_t blocks = (int32_t)l->score_stride / 64, units = QUERIES * blocks, steps = l->steps, few = steps / (2 * units);
  running r = { .panel = w->values, .panel_stride = (size_t)steps * 64 };
  qk_begin_vnni(QUERIES, 4, now->p, l->score_stride, NULL, r.row, r.sum);
  soft_codes c = { _mm512_setzero_si512(), _mm512_setzero_si512() };
  int32_t row = 0, block = 0;
  for (int32_t u = 0; u < units; u++) {
    const uint8_t *tokens = block == 0 ? w->s->tail : w->s->all;  // of the previous unit
    run(&r, few);
    if (u > 0) _mm512_store_si512(next->p + 64 * (size_t)(u - 1), soften_codes(w->s, c, tokens));
    c = soften_exponents(way, w->s, next->maxima[row], w->scores + 64 * (size_t)u);
    HOLD(c);
    run(&r, few);
    c = soften_entries(w->s, c);
    HOLD(c);
    if (++block == blocks) block = 0, row++;
  }
  run(&r, steps - r.k);
  _mm512_store_si512(next->p + 64 * (size_t)(units - 1), soften_codes(w->s, c, w->s->tail));
  qk_end_vnni(QUERIES, 4, r.sum, w->sums, MAX_DIMENSION);
}

enum { STAGES = 5, GROUP_QUERIES = QUERIES / 2, FINISHED_KEYS = 2 * GROUP };

/// Keeps the largest of a row's sums, and of those of the previous group, lane by lane.
static inline __attribute__((always_inline)) void keep_maxima(const running *r, int32_t group, int32_t *maxima) {
#pragma clang loop unroll(full)
  for (int t = 0; t < QUERIES; t++) {
    const __m512i most = _mm512_max_epi32(_mm512_max_epi32(r->sum[t][0], r->sum[t][1]),
                                          _mm512_max_epi32(r->sum[t][2], r->sum[t][3]));
    _mm512_store_si512(maxima + PANEL * t, group == 0 ? most : _mm512_max_epi32(most, _mm512_load_si512(maxima + PANEL * t)));
  }
}

/// Computes scores and maxima of `now`. The first FINISHED_KEYS keys are multiplied while the output codes of `last`
/// are made, three of its queries per group: 16 dimensions of a query per step, then all 64.
static void keys_and_finish(const work *w, query_tile *now, const query_tile *last) {
  const layout *l = &w->l;
  const size_t panel_bytes = (size_t)l->depth * PANEL;
  const int32_t steps = l->depth / 4, few = steps / (STAGES * GROUP_QUERIES);
  for (int32_t g = 0; g < 2; g++) {
    running r = { .panel = w->keys + (size_t)g * 4 * panel_bytes, .panel_stride = panel_bytes };
    qk_begin_vnni(QUERIES, 4, w->queries + (size_t)now->first * l->query_stride, l->query_stride, w->key_sums + GROUP * g, r.row,
                  r.sum);
    soft_codes c = { _mm512_setzero_si512(), _mm512_setzero_si512() };
#pragma clang loop unroll(disable)
    for (int32_t i = g * GROUP_QUERIES; i < (g + 1) * GROUP_QUERIES; i++) {
      const int32_t *sums = w->sums + i * MAX_DIMENSION;
      const int32_t end = last->ends.word[i];
#pragma clang loop unroll(full)
      for (int stage = 0; stage < STAGES; stage++) {
        run(&r, few);
        switch (stage) {
          case 0: c.b = output16(w->s, end, sums); break;
          case 1: c.a = _mm512_packs_epi32(c.b, output16(w->s, end, sums + 16)); break;
          case 2: c.b = output16(w->s, end, sums + 32); break;
          case 3: c.b = _mm512_packs_epi32(c.b, output16(w->s, end, sums + 48)); break;
          default: store_output(w->a, c.a, c.b, w->a->head_dimension, output_of(w, last, i)); break;
        }
        HOLD(c);
      }
    }
    run(&r, steps - r.k);
    qk_end_vnni(QUERIES, 4, r.sum, w->scores + GROUP * g, l->score_stride);
    keep_maxima(&r, g, w->maxima);
  }
  multiply_keys(w, now, FINISHED_KEYS / PANEL);
  for (int32_t i = 0; i < QUERIES; i++)
    now->maxima[i] = row_maximum(_mm512_load_si512(w->maxima + PANEL * i), w->scores + (size_t)i * l->score_stride, FINISHED_KEYS,
                                 w->a->tokens);
}

/// Runs `tiles` whole tiles: the values of each with the softmax of the next, its finish with the keys of the one
/// after.
static void attend_tiles(const work *w, int32_t tiles) {
  query_tile q[3], *now = &q[0], *before = &q[1], *last = &q[2];
  for (int32_t i = 0; i < tiles; i++) {
    begin_tile(w, i, now);
    if (i >= 2 && w->a->tokens >= FINISHED_KEYS && last->ends.use_words) {
      keys_and_finish(w, now, last);
    } else {
      if (i >= 2) finish(w, last);
      multiply_keys(w, now, 0);
      find_maxima(w, now);
    }
    if (i == 0) soften(w, now);
    else if (w->s->score_way == IN_SHORTS) values_and_softmax(IN_SHORTS, w, before, now);
    else if (w->s->score_way == IN_SHIFTED_SHORTS) values_and_softmax(IN_SHIFTED_SHORTS, w, before, now);
    else values_and_softmax(IN_WORDS, w, before, now);
    find_ends(w, now);
    query_tile *free = last;
    last = before;
    before = now;
    now = free;
  }
  if (tiles >= 2) finish(w, last);
  multiply_values(w, before);
  finish(w, before);
}

static void attend(const qk_attention_task *task, void *memory) {
  const qk_attention_arguments *a = task->arguments;
  uint8_t *base = memory;
  const layout l = lay_out(a);
  const work w = {
    .task = task, .a = a, .s = task->shared, .l = l, .keys = base + l.keys, .values = base + l.values,
    .queries = base + l.queries, .p = base + l.p, .key_sums = (int32_t *)(base + l.key_sums),
    .scores = (int32_t *)(base + l.scores), .sums = (int32_t *)(base + l.sums),
    .maxima = (int32_t *)(base + l.maxima),
  };
  for (int32_t panel = 0; panel < l.key_panels; panel++) {
    const int32_t first = panel * PANEL, count = a->tokens - first < PANEL ? a->tokens - first : PANEL;
    load_key_panel(task->k + (size_t)first * task->stride, task->stride, count, a->head_dimension, l.depth,
                   w.keys + (size_t)panel * PANEL * (size_t)l.depth, w.key_sums + first);
  }
  for (int32_t g = 0; g < l.value_groups; g++)
    load_value_group(task->v + GROUP * g, task->stride, a->tokens, a->head_dimension - GROUP * g, l.steps,
                     w.values + (size_t)g * (size_t)l.steps * 64 * 4);
  load_queries(task->q, task->stride, task->queries, a->head_dimension, w.queries);
  const int32_t whole = w.s->score_way != IN_DOUBLES && l.value_groups == 1 ? task->queries / QUERIES : 0;
  if (whole > 0) attend_tiles(&w, whole);
  for (int32_t i = whole; i * QUERIES < task->queries; i++) {
    query_tile q;
    begin_tile(&w, i, &q);
    attend_rows(&w, &q);
  }
}

const qk_attention_kernel qk_attention_avx512vnni = {
  .name = "attention_i8_i8_6x64_avx512vnni_vbmi",
  .tile_queries = QUERIES,
  .most_queries = most_queries,
  .shared_bytes = sizeof(shared),
  .prepare = prepare,
  .scratch_bytes = scratch_bytes,
  .attend = attend,
};

#pragma clang attribute pop
#endif
