#include "message_impl.h"

const weir_field *weir_message_field(const weir_message *type, uint32_t number)
{
    if (number - 1 < type->dense)
        return &type->fields[number - 1];
    size_t low = type->dense, high = type->field_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (type->fields[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    const weir_field *field = &type->fields[low];
    return low < type->field_count && field->number == number ? field : NULL;
}
