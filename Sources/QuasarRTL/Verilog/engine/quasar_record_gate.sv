// The gate in front of the dispatcher's destinations: finds where records begin, and lets each in when it may enter.
//
// A word of the stream is at the gate ENTRY_CYCLES after it was taken; it passes when the word before it leaves its
// destination (word_done) or none is there, and stands at `word` in the next cycle. Only the first word of a record waits
// for anything else: `pending`, a place for a command, a slot for a tile; see quasar_dispatcher.
// Everything about the word at the gate (next_…, with `pass`) and about the word behind it (word_…).
module quasar_record_gate #(
  parameter integer STREAM_BITS = 128,
  parameter integer PLACE_BITS = STREAM_BITS < 512 ? $clog2(512 / STREAM_BITS) : 1
) (
  input  logic                   clk,
  input  logic                   reset,
  input  logic                   stream_valid,
  output logic                   stream_ready,
  input  logic [STREAM_BITS-1:0] stream_data,
  input  logic                   stream_last,
  input  logic                   dropped,        // words pass unread
  input  logic                   command_room,
  input  logic                   command_done,
  input  logic                   tile_free,
  output logic                   enters,         // the first word of a record passes
  output logic                   enters_command,
  output logic                   enters_tile,
  output logic                   next_load,      // a word of a block passes
  output logic [PLACE_BITS-1:0]  next_place,     // of it in the block
  output logic [STREAM_BITS-1:0] next_word,
  output logic                   word_valid,
  input  logic                   word_done,
  output logic [STREAM_BITS-1:0] word,
  output logic                   word_block,     // it belongs to the block,
  output logic                   word_first,     // is the first one of the record,
  output logic                   word_second,    // the second one,
  output logic                   word_block_end, // the last one of the block,
  output logic                   word_end,       // the last one of the record,
  output logic                   word_last       // the last one of the stream
);
  localparam integer BLOCK_WORDS = 512 / STREAM_BITS;
  localparam integer LAST_PLACE_NUMBER = BLOCK_WORDS - 1;
  localparam [PLACE_BITS-1:0] LAST_PLACE = LAST_PLACE_NUMBER[PLACE_BITS-1:0];
  localparam [PLACE_BITS-1:0] NEXT_PLACE = BLOCK_WORDS > 1 ? 1 : 0;
  localparam integer OUTSTANDING_BITS = 6;

  logic next_valid, next_last, pass;
  quasar_spill #(.BITS(STREAM_BITS + 1)) entry (
    .clk(clk), .reset(reset), .in_valid(stream_valid), .in_ready(stream_ready), .in_data({stream_last, stream_data}),
    .out_valid(next_valid), .out_ready(pass), .out_data({next_last, next_word}));

  // Where the word at the gate stands; blocks of 64 bytes that are left of the payload.
  logic in_block, first, block_end, bytes_seen, has_payload, record_end;
  logic [26:0] blocks_seen, blocks_left;
  logic [31:0] bytes;
  logic [15:0] pending;
  assign bytes = next_word[63:32];
  assign pending = next_word[31:16];
  assign first = in_block & next_place == {PLACE_BITS{1'b0}};
  assign block_end = next_place == LAST_PLACE;
  assign has_payload = first ? bytes != 32'd0 : bytes_seen;
  assign record_end = block_end & (in_block ? ~has_payload : blocks_left == 27'd1);

  // Commands that have entered and are not complete.
  logic [OUTSTANDING_BITS-1:0] outstanding;
  logic is_command, is_tile, may;
  assign is_command = next_word[7:0] == quasar_program_pkg::TYPE_COMMAND;
  assign is_tile = next_word[7:0] == quasar_program_pkg::TYPE_ROW_TILE;
  assign may = dropped | ~first | ((|pending[15:OUTSTANDING_BITS] | pending[OUTSTANDING_BITS-1:0] >= outstanding)
    & (~is_command | command_room) & (~is_tile | tile_free));
  assign pass = next_valid & may & (~word_valid | word_done);
  assign enters = pass & first & ~dropped;
  assign enters_command = enters & is_command;
  assign enters_tile = enters & is_tile;
  assign next_load = pass & in_block;

  always_ff @(posedge clk) begin
    if (reset) begin
      in_block <= 1'b1;
      next_place <= {PLACE_BITS{1'b0}};
      outstanding <= {OUTSTANDING_BITS{1'b0}};
      word_valid <= 1'b0;
    end else begin
      if (pass) begin
        next_place <= block_end ? {PLACE_BITS{1'b0}} : next_place + NEXT_PLACE;
        if (block_end) in_block <= record_end;
      end
      outstanding <= outstanding + {{OUTSTANDING_BITS-1{1'b0}}, enters_command}
        - {{OUTSTANDING_BITS-1{1'b0}}, command_done};
      word_valid <= pass | (word_valid & ~word_done);
    end
    if (pass) begin
      if (first) begin
        bytes_seen <= bytes != 32'd0;
        blocks_seen <= {1'b0, bytes[31:6]} + {26'd0, |bytes[5:0]};
      end
      // Of a block of several words the first one, of a block of one word this one tells the length.
      if (in_block) blocks_left <= first ? {1'b0, bytes[31:6]} + {26'd0, |bytes[5:0]} : blocks_seen;
      else if (block_end) blocks_left <= blocks_left - 27'd1;
      word <= next_word;
      word_block <= in_block;
      word_first <= first;
      word_second <= in_block & next_place == NEXT_PLACE & ~first;
      word_block_end <= in_block & block_end;
      word_end <= record_end;
      word_last <= next_last;
    end
  end

`ifndef SYNTHESIS
  always @(posedge clk) if (!reset) begin
    assert (!(command_done && outstanding == 0)) else $fatal(1, "a command is complete that never entered");
    assert (!(enters_command && &outstanding)) else $fatal(1, "%0d commands are not complete", outstanding);
  end
`endif
endmodule
