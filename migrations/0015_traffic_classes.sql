-- What customers say of their messages for pricing and routing, beside `messages.traffic_class` of 0009.
ALTER TABLE messages ADD COLUMN template text; -- the name of the template that the text was made of, as the customer said it
ALTER TABLE sms_cdr
  ADD COLUMN traffic_class text,
  ADD COLUMN template text;
