// The driver of the vector kernels: packs both operands into port words, distributes tiles, places the results.
#include <string.h>
#include "datapath_kernel.h"
#include "../dispatch/kernels.h"
#include "../pack/packed_layout.h"
#include "ckernels/parallel.h"

typedef struct product_job {
  const qk_datapath_product *product;
  const qk_datapath_part *part;
  const qk_datapath_kernel *kernel;
  qk_datapath_tile tile;
  int32_t blocks;        ///< of QK_TILE_SLICES groups of rows
  int32_t token_groups, chunks;
  int32_t *weight_words, *activation_words;
} product_job;

static int32_t divide_up(int32_t a, int32_t b) { return (a - 1) / b + 1; }

static int32_t weight_blocks(const qk_packing_mode *m, int32_t rows) {
  return divide_up(divide_up(rows, m->weights), QK_TILE_SLICES);
}

/// Bytes of the list of tokens: per image its tokens and one entry to fill up its last group, rounded up to a 64-byte
/// line.
static size_t list_bytes(int32_t images, int32_t tokens) {
  return ((size_t)images * ((size_t)tokens + 1) * sizeof(int32_t) + 63) / 64 * 64;
}

/// The list, then the port words of both operands (for one place at a time); never less than the reference's chain.
/// One word per row and token is enough for any packing, and fabric needs that many.
size_t qk_datapath_workspace(int32_t rows, int32_t images, int32_t tokens, int32_t depth) {
  const size_t weights = (size_t)divide_up(rows, QK_TILE_SLICES) * QK_TILE_SLICES;
  const size_t words = weights + (size_t)images * ((size_t)tokens + 1) + QK_MAX_WEIGHTS + QK_MAX_PACKED_ACTIVATIONS;
  return list_bytes(images, tokens) + words * (size_t)depth * sizeof(int32_t);
}

int32_t *qk_datapath_words(const qk_datapath_product *p) {
  return (int32_t *)((char *)p->workspace + list_bytes(p->images, p->tokens));
}

qk_datapath_part qk_datapath_tokens(const qk_datapath_product *p, qk_token_place place) {
  const qk_datapath_element *e = &p->element;
  const int32_t tile = e->dsp_tokens + e->fabric_tokens;
  qk_datapath_part part = { .mode = e->mode, .tokens = p->workspace };
  if (place == QK_IN_FABRIC)
    part.mode = (qk_packing_mode){ .generation = e->mode.generation, .weights = 1, .activations = 1,
                                   .pitch = QK_DSP_P_BITS };
  int32_t *list = p->workspace;
  for (int32_t image = 0; image < p->images; image++) {
    for (int32_t t = 0; t < p->tokens; t++)
      if ((t % tile >= e->dsp_tokens) == (place == QK_IN_FABRIC)) list[part.count++] = image * p->tokens + t;
    while (part.count % part.mode.activations != 0) list[part.count++] = -1;
  }
  return part;
}

qk_status qk_datapath_check(const qk_datapath_product *p) {
  if (!p || !p->weights || !p->activations || !p->output || !p->workspace) return QK_NULL_POINTER;
  const qk_status status = qk_packing_check(&p->element.mode);
  if (status != QK_OK) return status;
  if (p->rows < 1 || p->images < 1 || p->tokens < 1 || p->depth < 1) return QK_BAD_SIZE;
  if (p->tokens > INT32_MAX / 4 / p->images) return QK_BAD_SIZE;
  if (p->depth > QK_MAX_DEPTH) return QK_DEPTH_BEYOND_PROOF;
  if (p->element.chain < 1 || p->element.input_lanes < 1) return QK_BAD_SIZE;
  if (p->element.dsp_tokens < 1 || p->element.dsp_tokens % p->element.mode.activations != 0) return QK_BAD_SIZE;
  if (p->element.fabric_tokens < 0 || p->element.fabric_tokens > INT32_MAX / 2) return QK_BAD_SIZE;
  // A restored bit knows the parity of one product only.
  if (p->element.mode.repair == QK_REPAIR_RESTORED_BIT && p->element.chain > 1) return QK_DEPTH_BEYOND_PROOF;
  if (p->element.accumulator_bits < 8 || p->element.accumulator_bits > 32) return QK_BAD_SPEC;
  if (p->element.decode < QK_DECODE_EXACT || p->element.decode > QK_DECODE_NAIVE) return QK_BAD_SPEC;
  return QK_OK;
}

/// Adds the codes of one operand part, shifted to its place, to every `step`-th word. A shift of 32 or more is beyond
/// both ports. `atom` 1 selects the low atom of each code, 2 the high atom.
static void add_part(const int8_t *codes, ptrdiff_t stride, int is_unsigned, int atom, int32_t shift, int32_t depth,
                     uint32_t *words, ptrdiff_t step) {
  if (shift >= 32) return;
  for (int32_t k = 0; k < depth; k++) {
    const int8_t byte = codes[k * stride];
    int32_t code = is_unsigned ? (uint8_t)byte : byte;
    if (atom) code = atom == 1 ? code & 15 : code >> 4;
    words[k * step] += (uint32_t)code << shift;
  }
}

/// Cuts every word to what a port of `width` bits holds: the arithmetic of qk_wrap on words of 32 bits.
static void cut_words(uint32_t *words, ptrdiff_t count, int32_t width) {
  const int32_t unused = 32 - width;
  for (ptrdiff_t i = 0; i < count; i++) words[i] = (uint32_t)((int32_t)(words[i] << unused) >> unused);
}

/// Packs the [depth][QK_TILE_SLICES] words of one block of rows, as the pre-adder gives them.
static void pack_weights(void *context, size_t begin, size_t end) {
  const product_job *job = context;
  const qk_datapath_product *p = job->product;
  const qk_packing_mode *m = &job->part->mode;
  const ptrdiff_t count = (ptrdiff_t)QK_TILE_SLICES * p->depth;
  for (size_t block = begin; block < end; block++) {
    uint32_t *words = (uint32_t *)job->weight_words + (ptrdiff_t)block * count;
    memset(words, 0, (size_t)count * sizeof *words);
    for (int32_t slice = 0; slice < QK_TILE_SLICES; slice++)
      for (int32_t part = 0; part < qk_packing_parts(m); part++) {
        const int32_t weight = m->atoms ? 0 : part;
        const ptrdiff_t row = qk_product_row(p, ((int32_t)block * QK_TILE_SLICES + slice) * m->weights + weight);
        if (row >= 0)
          add_part(p->weights + row * p->weight_row_stride, p->weight_depth_stride, 0, m->atoms ? part + 1 : 0,
                   part * m->activations * m->pitch, p->depth, words + slice, QK_TILE_SLICES);
      }
    cut_words(words, count, qk_dsp_pre_adder_bits(m->generation));
  }
}

/// Packs the [depth] words of each group of tokens, as the B port takes them.
static void pack_activations(void *context, size_t begin, size_t end) {
  const product_job *job = context;
  const qk_datapath_product *p = job->product;
  const qk_packing_mode *m = &job->part->mode;
  for (size_t group = begin; group < end; group++) {
    uint32_t *words = (uint32_t *)job->activation_words + group * (size_t)p->depth;
    memset(words, 0, (size_t)p->depth * sizeof *words);
    for (int32_t i = 0; i < m->activations; i++) {
      const int32_t token = job->part->tokens[group * (size_t)m->activations + (size_t)i];
      const int8_t *codes = p->activations;
      if (token >= 0)
        add_part(codes + token * p->activation_row_stride, p->activation_depth_stride, p->activations_unsigned, 0,
                 i * m->pitch, p->depth, words, 1);
    }
    cut_words(words, p->depth, QK_DSP_B_BITS);
  }
}

/// Finds the rows of the output that a block's slices work on; −1 beyond the last one.
static void find_rows(const product_job *job, int32_t block, int32_t *rows) {
  const int32_t count = QK_TILE_SLICES * job->part->mode.weights;
  for (int32_t i = 0; i < count; i++) rows[i] = (int32_t)qk_product_row(job->product, block * count + i);
}

static void place_results(const product_job *job, const int32_t *rows, int32_t first, int32_t groups,
                          const int64_t *out) {
  const qk_datapath_product *p = job->product;
  const int32_t weights = job->part->mode.weights, activations = job->part->mode.activations;
  for (int32_t g = 0; g < groups; g++)
    for (int32_t i = 0; i < job->tile.products; i++, out += QK_TILE_SLICES) {
      const ptrdiff_t t = job->part->tokens[(first + g) * activations + i % activations];
      if (t < 0) continue;
      int32_t *token = p->output + t * p->output_stride;
      const int32_t *row = rows + i / activations;
      for (int32_t slice = 0; slice < QK_TILE_SLICES; slice++, row += weights)
        if (*row >= 0) token[*row] = (int32_t)out[slice];
    }
}

static void run_tasks(void *context, size_t begin, size_t end) {
  const product_job *job = context;
  const ptrdiff_t depth = job->product->depth;
  _Alignas(64) int64_t out[QK_TILE_GROUPS * QK_MAX_LANES * QK_TILE_SLICES];
  int32_t rows[QK_TILE_SLICES * QK_MAX_WEIGHTS];
  for (size_t task = begin; task < end; task++) {
    const int32_t block = (int32_t)(task / (size_t)job->chunks);
    const int32_t first = (int32_t)(task % (size_t)job->chunks) * QK_TILE_GROUPS;
    const int32_t left = job->token_groups - first, groups = left < QK_TILE_GROUPS ? left : QK_TILE_GROUPS;
    job->kernel->run(&job->tile, job->weight_words + block * QK_TILE_SLICES * depth,
                     job->activation_words + first * depth, groups, out);
    find_rows(job, block, rows);
    place_results(job, rows, first, groups, out);
  }
}

static void run_part(const qk_datapath_kernel *kernel, const qk_datapath_product *p, const qk_datapath_part *part) {
  const qk_datapath_element *e = &p->element;
  const qk_packing_mode *m = &part->mode;
  const int32_t steps = divide_up(p->depth, e->input_lanes);
  product_job job = { .product = p, .part = part, .kernel = kernel };
  job.tile = (qk_datapath_tile){
    .depth = p->depth, .input_lanes = e->input_lanes, .chain = e->chain < steps ? e->chain : steps,
    .lanes = qk_packing_lanes(m), .activations = m->activations, .products = qk_packing_products(m),
    .atoms = m->atoms, .restored = m->repair == QK_REPAIR_RESTORED_BIT, .pitch = m->pitch, .decode = e->decode,
    .activations_unsigned = p->activations_unsigned, .accumulator_bits = e->accumulator_bits,
    .accumulator_saturates = e->accumulator_saturates };
  job.blocks = weight_blocks(m, p->rows);
  job.token_groups = part->count / m->activations;
  job.chunks = divide_up(job.token_groups, QK_TILE_GROUPS);
  job.weight_words = qk_datapath_words(p);
  job.activation_words = job.weight_words + (ptrdiff_t)job.blocks * QK_TILE_SLICES * p->depth;
  qk_parallel_for((size_t)job.blocks, 4, &job, pack_weights);
  qk_parallel_for((size_t)job.token_groups, 64, &job, pack_activations);
  qk_parallel_for((size_t)job.blocks * (size_t)job.chunks, 1, &job, run_tasks);
}

qk_status qk_datapath_run_with(qk_isa isa, const qk_datapath_product *p) {
  if (!qk_isa_usable(isa)) return QK_ISA_NOT_AVAILABLE;
  const qk_status status = qk_datapath_check(p);
  if (status != QK_OK) return status;
  const qk_datapath_kernel *kernel = qk_kernels(isa).datapath;
  // Carry counters look at P after every product, which only the scalar model does.
  if (kernel == NULL || p->element.mode.repair == QK_REPAIR_CARRY_COUNTERS) return qk_datapath_run_reference(p);
  for (int place = 0; place < QK_TOKEN_PLACES; place++) {
    const qk_datapath_part part = qk_datapath_tokens(p, (qk_token_place)place);
    if (part.count > 0) run_part(kernel, p, &part);
  }
  return QK_OK;
}

qk_status qk_datapath_run(const qk_datapath_product *p) { return qk_datapath_run_with(qk_isa_current(), p); }
