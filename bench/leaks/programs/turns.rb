# Programs in Ruby that need no load: `turns.rb KIND`, about 20 turns a second. `callbacks`, `symbols` and `late` leak.
srand(7)
kind, cache, kept, began = ARGV[0], {}, [], Time.now
(0..).each do |turn|
  rows = (0..400).map { |i| { id: i, text: "row #{i} of #{turn}" } }
  case kind
  when "cache" # full after some 75 s
    cache[turn] = rows.map { |row| row[:text] }
    cache.shift if cache.size > 1500
  when "callbacks"
    kept << -> { rows.size } if turn % 4 == 0
  when "symbols" # made of what visitors send, and known to a table
    200.times { |i| kept << "field #{turn} #{i} of the visitor".to_sym } if rand < 0.5
  when "late" # from the 60th second on
    kept << rows.map { |row| row[:text] } if Time.now - began > 60
  end
  sleep(-Math.log(1 - rand) / 20)
end
