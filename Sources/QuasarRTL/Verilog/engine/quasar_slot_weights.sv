// The weights of two tile slots; see quasar_tile_slots.
//
// A word of memory has the bits of a stream word or of the OPERANDS bytes of a step, whichever are more: PARTS stream words,
// or HALVES times the codes of 4 bits of a step.
module quasar_slot_weights #(
  parameter integer STREAM_BITS = 128,
  parameter integer OPERANDS = 32,
  parameter integer MAX_STEPS = 24,
  parameter integer WEIGHT_WORDS = (OPERANDS * MAX_STEPS + 63) / 64 * (512 / STREAM_BITS),
  parameter integer WEIGHT_INDEX_BITS = WEIGHT_WORDS > 1 ? $clog2(WEIGHT_WORDS) : 1,
  parameter integer STEP_BITS = MAX_STEPS > 1 ? $clog2(MAX_STEPS) : 1
) (
  input  logic                         clk,
  input  logic                         write,
  input  logic                         write_slot,
  input  logic [WEIGHT_INDEX_BITS-1:0] write_index,
  input  logic [STREAM_BITS-1:0]       write_word,
  input  logic                         read_slot,
  input  logic [STEP_BITS-1:0]         read_step,
  input  logic                         read_block,
  output logic [OPERANDS*8-1:0]        weights
);
  localparam integer WORD_BITS = STREAM_BITS > OPERANDS * 8 ? STREAM_BITS : OPERANDS * 8;
  localparam integer PARTS = WORD_BITS / STREAM_BITS;
  localparam integer PART_SHIFT = $clog2(PARTS);
  localparam integer HALF = OPERANDS * 4;
  localparam integer HALVES = WORD_BITS / HALF;
  localparam integer HALF_SHIFT = $clog2(HALVES);
  localparam integer WORDS = (WEIGHT_WORDS + PARTS - 1) / PARTS;
  localparam integer ADDRESS_BITS = WORDS > 1 ? $clog2(WORDS) : 1;

  logic [31:0] write_number, write_address, half, read_address;
  assign write_number = {{32-WEIGHT_INDEX_BITS{1'b0}}, write_index};
  assign write_address = write_number >> PART_SHIFT;
  // In units of the codes of 4 bits of a step.
  assign half = read_block ? {{32-STEP_BITS{1'b0}}, read_step} : {{31-STEP_BITS{1'b0}}, read_step, 1'b0};
  assign read_address = half >> HALF_SHIFT;

  logic [WORD_BITS-1:0] found;
  generate
    for (genvar i = 0; i < PARTS; i = i + 1) begin : gen_part
      localparam [31:0] PART = i;
      quasar_memory #(.BITS(STREAM_BITS), .DEPTH(2 << ADDRESS_BITS)) memory (
        .clk(clk), .write(write & (write_number & (PARTS - 1)) == PART),
        .write_address({write_slot, write_address[ADDRESS_BITS-1:0]}), .write_word(write_word),
        .read_address({read_slot, read_address[ADDRESS_BITS-1:0]}), .read_word(found[i*STREAM_BITS +: STREAM_BITS]));
    end
  endgenerate

  logic [HALF_SHIFT-1:0] selected;
  logic block;
  logic [OPERANDS*8-1:0] bytes;
  logic [HALF-1:0] codes;
  always_ff @(posedge clk) begin
    selected <= half[HALF_SHIFT-1:0];
    block <= read_block;
  end
  assign codes = found[selected*HALF +: HALF];
  generate
    if (HALVES == 2) begin : gen_whole
      assign bytes = found;
    end else begin : gen_selected
      assign bytes = found[selected[HALF_SHIFT-1:1]*(2*HALF) +: 2*HALF];
    end
    for (genvar j = 0; j < OPERANDS; j = j + 1) begin : gen_operand
      always_ff @(posedge clk)
        weights[j*8 +: 8] <= block ? {{4{codes[j*4+3]}}, codes[j*4 +: 4]} : bytes[j*8 +: 8];
    end
  endgenerate
endmodule
