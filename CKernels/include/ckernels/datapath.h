// The FPGA's datapath: DSP slices, several products packed into one of them, chains, fabric accumulators.
//
// Everything here is about *how* hardware reaches an integer. Within the proved depth, that is the integer of qk_gemm.
// Beyond it, and with an inexact spec, it is what the hardware would give, wrong bits included.
#ifndef CKERNELS_DATAPATH_H
#define CKERNELS_DATAPATH_H

#include <stddef.h>
#include <stdint.h>
#include "ckernels/dispatch.h"
#include "ckernels/integer.h"
#include "ckernels/status.h"

// MARK: One DSP slice

/// The multiplier slice of a device family.
typedef enum qk_dsp_generation {
  QK_DSP48E1 = 1,  ///< 7 series: 25-bit pre-adder, 25 × 18 multiplier, 48-bit P
  QK_DSP48E2 = 2   ///< UltraScale(+): 27-bit pre-adder, 27 × 18 multiplier, 48-bit P
} qk_dsp_generation;

/// Width of the pre-adder and of the wide multiplier operand: 25 or 27.
int32_t qk_dsp_pre_adder_bits(qk_dsp_generation generation);

/// The operand ports. Only the low 30, 18, 48 and 27 (E1: 25) bits of A, B, C and D are used. The pre-adder takes as
/// many low bits of A as D has.
typedef struct qk_dsp_ports {
  int64_t a, b, c, d;
} qk_dsp_ports;

/// Operand that the ALU adds to the product (the Z multiplexer), C not counted.
typedef enum qk_dsp_base {
  QK_DSP_ZERO = 0,          ///< a chain begins
  QK_DSP_P,                 ///< a chain continues
  QK_DSP_CASCADE,           ///< PCIN: the P of the slice below
  QK_DSP_CASCADE_SHIFTED    ///< PCIN >> 17, arithmetic: for operands in two parts
} qk_dsp_base;

/// A slice: its generation and the register P. PCOUT is P.
typedef struct qk_dsp_slice {
  qk_dsp_generation generation;
  int64_t p;  ///< sign-extended from 48 bits
} qk_dsp_slice;

/// P ← base + (with_c ? C : 0) + (A + D)·B, the pre-adder wrapping at its width, P at 48 bits; returns P.
///
/// One step of the arithmetic, without the pipeline registers (4 clocks from operands to P). `cascade` is PCIN.
int64_t qk_dsp_step(qk_dsp_slice *slice, const qk_dsp_ports *ports, qk_dsp_base base, int with_c, int64_t cascade);

// MARK: Packing

/// Ways to recover a lane that is wider than its field.
typedef enum qk_packing_repair {
  QK_REPAIR_NONE = 0,
  QK_REPAIR_RESTORED_BIT,   ///< one more bit from the parity of the product; single products only
  QK_REPAIR_CARRY_COUNTERS  ///< two low bits of every upper lane, kept in fabric, count the carries; any number of
                            ///< products
} qk_packing_repair;

/// Several products in one DSP: AD = Σ_i part_i·2^(pitch·activations·i), B = Σ_j x_j·2^(pitch·j).
///
/// part_i is weight i. With `atoms` there is one 8-bit weight w = 16·h + l, and its parts are l = w & 15 (unsigned) and
/// h = w >> 4. part_i·x_j is in lane i·activations + j of P, at bit pitch·lane; the top lane has all remaining bits of
/// the 48.
typedef struct qk_packing_mode {
  qk_dsp_generation generation;
  int32_t weights, activations;  ///< per word; 1…3 and 1…2
  int32_t pitch;                 ///< bits from lane to lane
  int32_t atoms;                 ///< 1: the 8-bit weight as two atoms (weights is 1)
  qk_packing_repair repair;
} qk_packing_mode;

enum { QK_MAX_LANES = 4, QK_MAX_WEIGHTS = 3, QK_MAX_PACKED_ACTIVATIONS = 2 };

/// Ways to read the lanes out of P.
typedef enum qk_decode {
  /// Lane by lane from the low end, each subtracted before the next is read (in hardware: half a field is added to
  /// every signed lane through C). Right whenever every lane below the top fits its field.
  QK_DECODE_EXACT = 0,
  /// All fields at once, each plus the bit just below it when the lane below is signed. Equals QK_DECODE_EXACT except
  /// in the lane above an inner lane of exactly −2^(pitch−1) that has a negative lane below it.
  QK_DECODE_PARALLEL,
  /// The fields unchanged: a negative lane takes one from the lane above it.
  QK_DECODE_NAIVE
} qk_decode;

/// The codes that one operand can take: lowest…highest.
typedef struct qk_code_range {
  int32_t lowest, highest;
} qk_code_range;

/// QK_OK for a mode that the models below implement: sizes in range, lanes inside 48 bits, repairs where defined.
qk_status qk_packing_check(const qk_packing_mode *mode);

/// weights·activations: products per slice and clock.
int32_t qk_packing_products(const qk_packing_mode *mode);

/// 1 when AD fits the pre-adder and B the 18-bit port for every combination of codes in these ranges.
int qk_packing_fits(const qk_packing_mode *mode, qk_code_range weight, qk_code_range activation);

/// The largest n such that no n products of codes in these ranges leave their field of P; INT64_MAX when there is no
/// limit.
///
/// A signed field of b bits needs n·max ≤ 2^(b−1)−1 and n·min ≥ −2^(b−1). A field whose products cannot be negative is
/// read as unsigned and needs n·max ≤ 2^b−1. The result is 0 when not even one product fits, or when the ports are too
/// narrow. A restored bit widens the lower fields by one bit and allows one product. Carry counters leave the top field
/// as the only limit. Example: W4A6 two by two, narrow codes: 7·31 = 217 in 11 bits → 1023/217 = 4.
int64_t qk_packing_depth(const qk_packing_mode *mode, qk_code_range weight, qk_code_range activation);

/// Fills the ports for `weights` codes and `activations` codes: A has the lowest part, D the higher ones, B the
/// activations.
void qk_packing_ports(const qk_packing_mode *mode, const int32_t *weights, const int32_t *activations,
                      qk_dsp_ports *ports);

/// Runs the chain of `depth` products in one slice; returns P and writes products[weight·activations + activation].
///
/// Codes are [depth][weights] and [depth][activations]; weights are signed and at most 8 bits wide. `ports` (may be
/// null) receives the operands of every product; C is always 0. Depths beyond qk_packing_depth wrap as P does. A
/// repaired lane ignores `decode`.
int64_t qk_packing_chain(const qk_packing_mode *mode, qk_decode decode, int activations_unsigned, int32_t depth,
                         const int32_t *weights, const int32_t *activations, qk_dsp_ports *ports,
                         int64_t *products);

// MARK: Processing elements

/// Deviations of an engine's arithmetic from the contract; qk_hardware_spec_exact() has none.
typedef struct qk_hardware_spec {
  int32_t accumulator_bits;        ///< fabric accumulators: 8…32 bits; 32 are enough for the contract
  int32_t accumulator_saturates;   ///< 0 wraps, 1 saturates, after each chain
  qk_decode decode;
  int32_t chain_limit;             ///< products per chain, also beyond the proof; 0: as many as are proved
  int32_t truncated;               ///< QK_TRUNCATE_… : these shifts leave out their rounding constant
  int32_t exponent_index_bits;     ///< 1…8: softmax fractions use the top bits of f only
  int32_t gelu_index_bits;         ///< 1…8: the GELU table has 2^n entries, the middle code of each group
} qk_hardware_spec;

enum {
  QK_TRUNCATE_REQUANTISER = 1,  ///< products with weights
  QK_TRUNCATE_SOFTMAX = 2,      ///< z and P
  QK_TRUNCATE_CONTEXT = 4,      ///< U and the attention output
  QK_TRUNCATE_LAYER_NORM = 8
};

/// Exact: 32-bit accumulators, exact decode, proved chains, rounding shifts, whole tables.
qk_hardware_spec qk_hardware_spec_exact(void);

/// QK_OK when every field is in its range.
qk_status qk_hardware_spec_check(const qk_hardware_spec *spec);

/// The processing elements that run one product.
///
/// `input_lanes` slices share the inputs: slice j takes inputs k = j, j + input_lanes, … and is drained after every
/// `chain` of its products. The lanes of a drain are summed over the slices without loss and added to the fabric
/// accumulator, which wraps or saturates. Chains are added in ascending order, from zero, without the bias. Of every
/// `dsp_tokens` + `fabric_tokens` tokens of an image, the last `fabric_tokens` are multiplied in LUTs: without packing,
/// with the same chains and accumulators.
/// packing, the same chains and accumulators.
typedef struct qk_datapath_element {
  qk_packing_mode mode;
  qk_decode decode;
  int32_t chain;
  int32_t input_lanes;
  int32_t dsp_tokens;              ///< a positive multiple of mode.activations
  int32_t fabric_tokens;           ///< 0 or more
  int32_t accumulator_bits;        ///< 8…32
  int32_t accumulator_saturates;
} qk_datapath_element;

/// Y[t][row] = the fabric accumulators of Σ_k X[t][k]·W[row][k], t = image·tokens + token.
///
/// Rows are packed in the order of `row_index`, `weights` at a time. The tokens of an image that go to DSPs are packed
/// in ascending order, `activations` at a time. The last group of each is filled up with zeros. Codes are read at any
/// stride, so attention needs no copies.
typedef struct qk_datapath_product {
  qk_datapath_element element;
  int32_t rows;                    ///< of this call
  int32_t images;
  int32_t tokens;                  ///< per image
  int32_t depth;                   ///< K
  const int8_t *weights;
  ptrdiff_t weight_row_stride, weight_depth_stride;          ///< codes
  const int32_t *row_index;        ///< [rows] row of `weights` and column of output; null: 0, 1, …
  const void *activations;         ///< [images·tokens] rows of int8 or uint8 codes
  ptrdiff_t activation_row_stride, activation_depth_stride;  ///< codes
  int32_t activations_unsigned;
  int32_t *output;
  ptrdiff_t output_stride;         ///< elements between tokens
  void *workspace;                 ///< qk_datapath_workspace bytes, 64-byte aligned
} qk_datapath_product;

/// Bytes of workspace of a product: its packed operand words and the list of its tokens.
size_t qk_datapath_workspace(int32_t rows, int32_t images, int32_t tokens, int32_t depth);

/// Forms and decodes every DSP word of the product, with the kernel in use.
qk_status qk_datapath_run(const qk_datapath_product *product);
qk_status qk_datapath_run_with(qk_isa isa, const qk_datapath_product *product);
/// The definition: qk_packing_chain per slice and chain.
qk_status qk_datapath_run_reference(const qk_datapath_product *product);

// MARK: Units after the processing elements

/// Applies bias, requantisation and output form to finished accumulators [tokens][rows]; `arguments` as for qk_gemm.
qk_status qk_datapath_finish(const qk_gemm_arguments *arguments, const int32_t *accumulators,
                             const qk_hardware_spec *spec);

/// Integer softmax attention with scores and context on processing elements.
///
/// In `scores`, a query's codes are the activations and the keys' codes the weights. In `context`, the probabilities
/// are the (unsigned) activations and the values the weights. `workspace` has qk_datapath_attention_workspace bytes.
qk_status qk_datapath_attention(const qk_attention_arguments *arguments, const qk_datapath_element *scores,
                                const qk_datapath_element *context, const qk_hardware_spec *spec, void *workspace);
size_t qk_datapath_attention_workspace(const qk_attention_arguments *arguments);

/// Integer LayerNorm with the spec's shifts.
qk_status qk_datapath_layer_norm(const qk_layer_norm_arguments *arguments, const qk_hardware_spec *spec);

#endif
