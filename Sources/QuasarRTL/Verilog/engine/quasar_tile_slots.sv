// Two slots for row tiles: parameters of up to 2·ROWS rows and weights of up to MAX_STEPS steps, written by the dispatcher
// while the array reads the other slot.
//
// Handshake. A slot is free, reserved (dispatcher: reserve, while `free`), full (commit), and free again (release). Slots
// take turns: tiles are reserved, committed and released in one order, so nobody gives a number. full[i] is high from the
// cycle after commit to the release, `free` from the cycle after release on. end_tile (with rows, steps and shape) comes
// when the last word of a tile is written or before; what follows is for the other slot.
// Memory. Words of the stream lie behind each other, so a word of memory is the wider one of a stream word and of the
// weights of a step, and reading selects. read_step of slot read_slot in cycle 0: `weights` in cycle 2, the bytes of
// 2·ROWS·INPUTS operands; with read_block (cycle 0) a step is half as long and its codes of 4 bits are extended.
// read_row of slot row_slot in cycle 0: `entry` in cycle 1.
module quasar_tile_slots #(
  parameter integer STREAM_BITS = 128,
  parameter integer ROWS = 2,
  parameter integer INPUTS = 8,
  parameter integer MAX_STEPS = 24,
  parameter integer ROW_LANES = STREAM_BITS / 64,
  parameter integer ROW_GROUPS = (2 * ROWS + ROW_LANES - 1) / ROW_LANES,
  parameter integer ROW_GROUP_BITS = ROW_GROUPS > 1 ? $clog2(ROW_GROUPS) : 1,
  parameter integer WEIGHT_WORDS = (2 * ROWS * INPUTS * MAX_STEPS + 63) / 64 * (512 / STREAM_BITS),
  parameter integer WEIGHT_INDEX_BITS = WEIGHT_WORDS > 1 ? $clog2(WEIGHT_WORDS) : 1,
  parameter integer STEP_BITS = MAX_STEPS > 1 ? $clog2(MAX_STEPS) : 1,
  parameter integer ROW_BITS = $clog2(2 * ROWS)
) (
  input  logic                         clk,
  input  logic                         reset,
  // Dispatcher.
  output logic                         free,
  input  logic                         reserve,
  input  logic                         row_write,
  input  logic [ROW_GROUP_BITS-1:0]    row_group,
  input  logic [ROW_LANES*72-1:0]      row_entries,
  input  logic                         weight_write,
  input  logic [WEIGHT_INDEX_BITS-1:0] weight_index,
  input  logic [STREAM_BITS-1:0]       weight_word,
  input  logic                         end_tile,
  input  logic [15:0]                  end_rows,
  input  logic [15:0]                  end_steps,
  input  logic                         end_block,
  input  logic                         commit,
  // Sequencer.
  output logic [1:0]                   full,
  output logic [31:0]                  tile_rows,   // of slot 1 | slot 0
  output logic [31:0]                  tile_steps,
  output logic [1:0]                   tile_block,
  input  logic                         release_tile,
  input  logic                         read_valid,  // for the assertions: a step is read,
  input  logic                         read_slot,
  input  logic [STEP_BITS-1:0]         read_step,
  input  logic                         read_block,
  output logic [2*ROWS*INPUTS*8-1:0]   weights,
  input  logic                         row_valid,   // a row is read
  input  logic                         row_slot,
  input  logic [ROW_BITS-1:0]          read_row,
  output logic [71:0]                  entry
);
  // Slots in turn.
  logic [1:0] places;
  logic write_slot, write_slot_late, commit_slot, release_slot;
  assign free = places != 2'd0;
  always_ff @(posedge clk) begin
    if (reset) begin
      places <= 2'd2;
      full <= 2'd0;
      write_slot <= 1'b0;
      commit_slot <= 1'b0;
      release_slot <= 1'b0;
    end else begin
      places <= places + {1'b0, release_tile} - {1'b0, reserve};
      if (commit) begin
        full[commit_slot] <= 1'b1;
        commit_slot <= ~commit_slot;
      end
      if (release_tile) begin
        full[release_slot] <= 1'b0;
        release_slot <= ~release_slot;
      end
      if (end_tile) write_slot <= ~write_slot;
    end
    write_slot_late <= write_slot;  // the last words are written in the cycle after end_tile
    if (end_tile) begin
      tile_rows[write_slot*16 +: 16] <= end_rows;
      tile_steps[write_slot*16 +: 16] <= end_steps;
      tile_block[write_slot] <= end_block;
    end
  end

  quasar_slot_weights #(
    .STREAM_BITS(STREAM_BITS), .OPERANDS(2 * ROWS * INPUTS), .MAX_STEPS(MAX_STEPS)
  ) weight_memory (
    .clk(clk), .write(weight_write), .write_slot(write_slot_late), .write_index(weight_index), .write_word(weight_word),
    .read_slot(read_slot), .read_step(read_step), .read_block(read_block), .weights(weights));

  // Entry i of a tile lies in memory i mod ROW_LANES.
  localparam integer LANE_SHIFT = $clog2(ROW_LANES);
  localparam integer LANE_BITS = ROW_LANES > 1 ? LANE_SHIFT : 1;
  localparam integer LAST_LANE_NUMBER = ROW_LANES - 1;
  localparam [LANE_BITS-1:0] LANE_MASK = LAST_LANE_NUMBER[LANE_BITS-1:0];
  logic [ROW_LANES*72-1:0] found;
  logic [31:0] row_number, row_address;
  logic [LANE_BITS-1:0] lane;
  assign row_number = {{32-ROW_BITS{1'b0}}, read_row};
  assign row_address = row_number >> LANE_SHIFT;
  assign lane = row_number[LANE_BITS-1:0] & LANE_MASK;
  generate
    for (genvar i = 0; i < ROW_LANES; i = i + 1) begin : gen_lane
      logic [71:0] entries [0:(2<<ROW_GROUP_BITS)-1];
      always_ff @(posedge clk) if (row_write) entries[{write_slot_late, row_group}] <= row_entries[i*72 +: 72];
      assign found[i*72 +: 72] = entries[{row_slot, row_address[ROW_GROUP_BITS-1:0]}];
    end
  endgenerate
  always_ff @(posedge clk) entry <= found[lane*72 +: 72];

`ifndef SYNTHESIS
  always @(posedge clk) if (!reset) begin
    assert (!(reserve && places == 0)) else $fatal(1, "a tile enters without a free slot");
    assert (!(release_tile && !full[release_slot])) else $fatal(1, "a slot is released that is not full");
    assert (!(commit && full[commit_slot])) else $fatal(1, "a tile is given out in a full slot");
    assert (!((row_write || weight_write) && full[write_slot_late]))
    else $fatal(1, "slot %0d is written while it is read", write_slot_late);
    assert (!(read_valid === 1'b1 && !full[read_slot])) else $fatal(1, "weights of a slot that is not full");
    assert (!(row_valid === 1'b1 && !full[row_slot])) else $fatal(1, "a row of a slot that is not full");
    assert (!(read_valid === 1'b1 && {16'd0, tile_steps[read_slot*16 +: 16]} <= {{32-STEP_BITS{1'b0}}, read_step}))
    else $fatal(1, "step %0d is beyond the tile", read_step);
  end
`endif
endmodule
