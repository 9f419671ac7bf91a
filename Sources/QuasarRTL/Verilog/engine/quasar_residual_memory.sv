// The residual stream: 16-bit values of (token t, channel c) in BANKS banks, BANKS a power of two ≥ DRAIN, NORM.
//
// Value (t, c) is in bank (t + c) mod BANKS at address ⌊t/BANKS⌋·D + c: DRAIN tokens of a channel and NORM channels of a
// token are each in different banks. D, the width of the run, comes with every access.
//   lanes  channel × DRAIN tokens from a multiple of DRAIN: the values come in cycle RESIDUAL_CYCLES = 7; where lane_update
//          is set, the sums of lane_count tokens are taken in cycle 9 and written to the same places
//   norm   token × NORM channels from a multiple of NORM: the values come in cycle 7
//   codes  the same shape, written: embedding codes
// A cycle has one access of the three. D is a multiple of NORM, and MAX_TOKENS more than BANKS.
// What an access writes, sums or codes, is read by accesses from its cycle 7 on.
module quasar_residual_memory #(
  parameter integer DRAIN = 3,
  parameter integer NORM = 4,
  parameter integer MAX_TOKENS = 64,
  parameter integer MAX_WIDTH = 64,
  parameter integer BANKS = 1 << $clog2(DRAIN > NORM ? DRAIN : NORM),
  parameter integer TOKEN_BITS = MAX_TOKENS > 1 ? $clog2(MAX_TOKENS) : 1,
  parameter integer CHANNEL_BITS = $clog2(MAX_WIDTH + 1),
  parameter integer COUNT_BITS = $clog2(DRAIN + 1)
) (
  input  logic                    clk,
  input  logic                    reset,
  input  logic [CHANNEL_BITS-1:0] width,         // D, with each access
  input  logic                    lane_access,   // cycle 0
  input  logic                    lane_update,   // cycle 0
  input  logic [TOKEN_BITS-1:0]   lane_token,    // cycle 0
  input  logic [CHANNEL_BITS-1:0] lane_channel,  // cycle 0
  input  logic [COUNT_BITS-1:0]   lane_count,    // cycle 0
  output logic [DRAIN*16-1:0]     lane_values,   // cycle 7
  input  logic [DRAIN*16-1:0]     lane_sums,     // cycle 9
  input  logic                    norm_access,   // cycle 0
  input  logic [TOKEN_BITS-1:0]   norm_token,    // cycle 0
  input  logic [CHANNEL_BITS-1:0] norm_channel,  // cycle 0
  output logic [NORM*16-1:0]      norm_values,   // cycle 7
  input  logic                    codes_write,   // cycle 0
  input  logic [TOKEN_BITS-1:0]   codes_token,   // cycle 0
  input  logic [CHANNEL_BITS-1:0] codes_channel, // cycle 0
  input  logic [NORM*16-1:0]      codes          // cycle 0
);
  localparam integer BANK_BITS = BANKS > 1 ? $clog2(BANKS) : 1;
  localparam integer ROWS = (MAX_TOKENS + BANKS - 1) / BANKS;
  localparam integer ROW_BITS = ROWS > 1 ? $clog2(ROWS) : 1;
  localparam integer DEPTH = ROWS * MAX_WIDTH;
  localparam integer ADDRESS_BITS = $clog2(DEPTH) > CHANNEL_BITS ? $clog2(DEPTH) : CHANNEL_BITS;
  localparam integer NORM_STEPS = $clog2(NORM);
  localparam [BANK_BITS:0] END = BANKS[BANK_BITS:0];
  localparam [COUNT_BITS-1:0] LANES = DRAIN[COUNT_BITS-1:0];

  // Cycle 0: one of the three.
  logic lanes0, token_shape1, update1, codes1;
  logic [TOKEN_BITS-1:0] token0;
  logic [CHANNEL_BITS-1:0] channel0, channel1, width1;
  logic [ROW_BITS-1:0] row0, row1;
  logic [BANK_BITS-1:0] low0, low1;
  logic [COUNT_BITS-1:0] count1;
  assign lanes0 = !norm_access && !codes_write;
  assign token0 = norm_access ? norm_token : codes_write ? codes_token : lane_token;
  assign channel0 = norm_access ? norm_channel : codes_write ? codes_channel : lane_channel;
  generate
    if (BANKS > 1) begin : gen_banks
      assign low0 = token0[BANK_BITS-1:0];
    end else begin : gen_bank
      assign low0 = 1'b0;
    end
    if (ROWS > 1) begin : gen_rows
      assign row0 = token0[TOKEN_BITS-1:TOKEN_BITS-ROW_BITS];
    end else begin : gen_row
      assign row0 = 1'b0;
    end
  endgenerate
  always_ff @(posedge clk) begin
    token_shape1 <= !lanes0;
    update1 <= lane_access && lane_update && !reset;
    codes1 <= codes_write && !reset;
    {row1, low1, channel1, width1, count1} <= {row0, low0, channel0, width, lanes0 ? lane_count : LANES};
  end

  // Cycles 1 and 2: addresses of the row of tokens and of the next one.
  logic [ADDRESS_BITS-1:0] wide_row1, wide_channel1, wide_width1, product2, offset2, far_offset2, base3, far3;
  logic [BANK_BITS-1:0] low2, low3, turn2, turn3;
  logic [COUNT_BITS-1:0] count2, count3;
  logic token_shape2, token_shape3, update2, update3, codes2, codes3;
  always_comb begin
    wide_row1 = 0;
    wide_channel1 = 0;
    wide_width1 = 0;
    wide_row1[ROW_BITS-1:0] = row1;
    wide_channel1[CHANNEL_BITS-1:0] = channel1;
    wide_width1[CHANNEL_BITS-1:0] = width1;
  end
  always_ff @(posedge clk) begin
    product2 <= wide_row1 * wide_width1;
    offset2 <= wide_channel1;
    far_offset2 <= wide_channel1 + wide_width1;
    turn2 <= BANKS > 1 ? low1 + channel1[BANK_BITS-1:0] : {BANK_BITS{1'b0}};
    base3 <= product2 + offset2;
    far3 <= product2 + far_offset2;
    {low2, count2, token_shape2} <= {low1, count1, token_shape1};
    {low3, turn3, count3, token_shape3} <= {low2, turn2, count2, token_shape2};
    {update2, codes2} <= {update1 && !reset, codes1 && !reset};
    {update3, codes3} <= {update2 && !reset, codes2 && !reset};
  end

  // Cycle 3: place `distance` of the access is in bank (turn + distance) mod BANKS. Cycle 6: words; cycle 10: writes.
  logic [BANKS*16-1:0] words, turned_words, sums, turned_sums, written;
  logic [NORM*16-1:0] late_codes;
  logic late_codes_write;
  logic [BANK_BITS-1:0] turn6, turn9;
  generate
    for (genvar i = 0; i < BANKS; i = i + 1) begin : gen_bank_of
      localparam [BANK_BITS-1:0] BANK = i;
      logic [BANK_BITS-1:0] distance;
      logic [BANK_BITS:0] place;
      logic [ADDRESS_BITS-1:0] near, address, write_address;
      logic taken, write;
      logic [15:0] latched;
      logic [15:0] word;
      assign distance = BANKS > 1 ? BANK - turn3 : {BANK_BITS{1'b0}};
      assign place = {1'b0, low3} + {1'b0, distance};
      if (NORM_STEPS > 0) begin : gen_channels
        assign near = {base3[ADDRESS_BITS-1:NORM_STEPS], distance[NORM_STEPS-1:0]};
      end else begin : gen_channel
        assign near = base3;
      end
      always_ff @(posedge clk) begin
        address <= token_shape3 ? near : place >= END ? far3 : base3;
        taken <= !reset && (codes3 ? {{(32-BANK_BITS){1'b0}}, distance} < NORM
          : update3 && {{(32-BANK_BITS){1'b0}}, distance} < {{(32-COUNT_BITS){1'b0}}, count3});
        word <= latched;
      end
      quasar_delay #(.BITS(1), .CYCLES(6), .CLEARED(1)) write_line (
        .clk(clk), .reset(reset), .in(taken), .out(write));
      quasar_delay #(.BITS(ADDRESS_BITS), .CYCLES(6), .CLEARED(0)) address_line (
        .clk(clk), .reset(reset), .in(address), .out(write_address));
      quasar_memory #(.BITS(16), .DEPTH(DEPTH)) bank (
        .clk(clk), .write(write), .write_address(write_address[$clog2(DEPTH)-1:0]),
        .write_word(written[i*16 +: 16]), .read_address(address[$clog2(DEPTH)-1:0]), .read_word(latched));
      assign words[i*16 +: 16] = word;
`ifndef SYNTHESIS
      always @(posedge clk) if (!reset && write === 1'b1) begin
        assert ({{(32-ADDRESS_BITS){1'b0}}, write_address} < DEPTH)
        else $fatal(1, "residual written at %0d of %0d words", write_address, DEPTH);
      end
`endif
    end
  endgenerate

  quasar_delay #(.BITS(BANK_BITS), .CYCLES(3), .CLEARED(0)) read_turn_line (
    .clk(clk), .reset(reset), .in(turn3), .out(turn6));
  quasar_rotator #(.ELEMENTS(BANKS), .BITS(16)) read_rotator (.in(words), .amount(turn6), .out(turned_words));
  quasar_delay #(.BITS(BANK_BITS), .CYCLES(3), .CLEARED(0)) write_turn_line (
    .clk(clk), .reset(reset), .in(turn6), .out(turn9));
  quasar_delay #(.BITS(1), .CYCLES(6), .CLEARED(0)) codes_line (
    .clk(clk), .reset(reset), .in(codes3), .out(late_codes_write));
  quasar_delay #(.BITS(NORM * 16), .CYCLES(9), .CLEARED(0)) late_codes_line (
    .clk(clk), .reset(reset), .in(codes), .out(late_codes));
  always_comb begin
    sums = 0;
    sums[DRAIN*16-1:0] = lane_sums;
    if (late_codes_write) sums[NORM*16-1:0] = late_codes;
  end
  quasar_rotator #(.ELEMENTS(BANKS), .BITS(16)) write_rotator (
    .in(sums), .amount(-turn9), .out(turned_sums));
  logic [BANKS*16-1:0] values;
  always_ff @(posedge clk) begin
    values <= turned_words;
    written <= turned_sums;
  end
  assign lane_values = values[DRAIN*16-1:0];
  assign norm_values = values[NORM*16-1:0];

`ifndef SYNTHESIS
  initial begin
    assert ((NORM & (NORM - 1)) == 0 && (BANKS & (BANKS - 1)) == 0 && BANKS >= NORM && BANKS >= DRAIN
            && MAX_TOKENS > BANKS)
    else $fatal(1, "NORM %0d, BANKS %0d, DRAIN %0d, %0d tokens do not go together", NORM, BANKS, DRAIN, MAX_TOKENS);
  end
  logic [31:0] token, channel, d;
  assign token = {{(32-TOKEN_BITS){1'b0}}, token0};
  assign channel = {{(32-CHANNEL_BITS){1'b0}}, channel0};
  assign d = {{(32-CHANNEL_BITS){1'b0}}, width};
  always @(posedge clk) if (!reset && (lane_access === 1'b1 || norm_access === 1'b1 || codes_write === 1'b1)) begin
    assert ({1'b0, lane_access} + {1'b0, norm_access} + {1'b0, codes_write} == 2'd1)
    else $fatal(1, "lanes %b, norm %b, codes %b in the same cycle", lane_access, norm_access, codes_write);
    assert (token < MAX_TOKENS && channel < d && d <= MAX_WIDTH)
    else $fatal(1, "token %0d, channel %0d of width %0d", token, channel, d);
    assert (!lane_access || (token % DRAIN == 0 && lane_count != 0 && {{(32-COUNT_BITS){1'b0}}, lane_count} <= DRAIN))
    else $fatal(1, "%0d lanes from token %0d; 1…%0d from a multiple of it", lane_count, token, DRAIN);
    assert (lane_access || (channel % NORM == 0 && d % NORM == 0))
    else $fatal(1, "channel %0d of width %0d is no multiple of %0d", channel, d, NORM);
  end
`endif
endmodule
